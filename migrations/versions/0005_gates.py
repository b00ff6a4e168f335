"""Limits, and the gates at which jobs wait for them.

kind: expand
"""

from jobqueue.store.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add limits, the columns that put jobs under them, and what admits jobs."""
    run_script("0005_gates.sql")


def downgrade() -> None:
    """Take them away; jobs that wait at their gates become available."""
    run_script("0005_gates.down.sql")
