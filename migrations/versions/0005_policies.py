"""Pauses, deadlines, and what is decided for a queue.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables and columns, and have the functions know of deadlines."""
    run_script("0005_policies.sql")


def downgrade() -> None:
    """Take them away; what was paused runs again, and nothing expires."""
    run_script("0005_policies.down.sql")
