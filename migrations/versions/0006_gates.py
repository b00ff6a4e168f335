"""Limits, and the gates at which jobs wait for them.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add limits, the columns that put jobs under them, and what admits jobs."""
    run_script("0006_gates.sql")


def downgrade() -> None:
    """Take them away; jobs that wait at their gates become available."""
    run_script("0006_gates.down.sql")
