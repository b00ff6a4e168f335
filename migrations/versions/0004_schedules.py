"""Schedules, their ticks, and who is the leader.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables, and the functions that enqueue the jobs of ticks."""
    run_script("0004_schedules.sql")


def downgrade() -> None:
    """Take them away; jobs that ticks have enqueued stay."""
    run_script("0004_schedules.down.sql")
