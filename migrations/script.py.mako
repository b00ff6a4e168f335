"""${message}

kind: expand  (adds only; the previous release keeps working)  or  contract
"""

from jobqueue.store.migrations import run_script

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    run_script("${up_revision}_${slug}.sql")


def downgrade() -> None:
    run_script("${up_revision}_${slug}.down.sql")
