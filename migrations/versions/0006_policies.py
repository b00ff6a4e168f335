"""Pauses, deadlines, and what is decided for a queue.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables and columns, and have the functions know of deadlines."""
    run_script("0006_policies.sql")


def downgrade() -> None:
    """Take them away; what was paused runs again, and nothing expires."""
    run_script("0006_policies.down.sql")
