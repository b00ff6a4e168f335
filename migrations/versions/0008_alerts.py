"""Alerts, and the clocks of workers.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table of alerts, and a column for what a worker's clock is off by."""
    run_script("0008_alerts.sql")


def downgrade() -> None:
    """Take both away."""
    run_script("0008_alerts.down.sql")
