"""Idempotency keys, unique keys and processed ids.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables and columns, and the enqueue functions that take keys."""
    run_script("0002_keys.sql")


def downgrade() -> None:
    """Take them away; a job that waits for a contested key runs, its key forgotten."""
    run_script("0002_keys.down.sql")
