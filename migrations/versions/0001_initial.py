"""The first schema: jobs, their history, dead letters, queues, tasks and workers.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    run_script("0001_initial.sql")


def downgrade() -> None:
    """Drop everything but the schema, which holds Alembic's own table."""
    run_script("0001_initial.down.sql")
