"""Metrics: what the leader samples, what workers count, and views that show both.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables of samples and counts, and the views."""
    run_script("0007_metrics.sql")


def downgrade() -> None:
    """Take them away; nothing else needs them."""
    run_script("0007_metrics.down.sql")
