"""Timeouts of jobs, cancelling of what runs, progress and results.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, the requests to cancel, and the enqueue functions that take a timeout."""
    run_script("0003_attempts.sql")


def downgrade() -> None:
    """Take them away; requests to cancel what runs are forgotten."""
    run_script("0003_attempts.down.sql")
