"""Alembic: run our migrations from yours, or keep yours from touching ours.

In your `env.py`, if you compare more than the default schema:

    from jobqueue.integrations.alembic import include_name
    context.configure(..., include_schemas=True, include_name=include_name)

In a migration of yours, to bring the schema `jobqueue` up to date with it:

    from jobqueue.integrations.alembic import upgrade_jobqueue

    def upgrade() -> None:
        upgrade_jobqueue()
"""

from __future__ import annotations

from collections.abc import Mapping

from alembic import op

from jobqueue.store import migrations


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """Leave the schema `jobqueue` out of autogenerate; join it to a rule of your own by `and`."""
    if type_ == "schema":
        return name != "jobqueue"
    return parent_names.get("schema_name") != "jobqueue"


def upgrade_jobqueue() -> None:
    """Bring the schema `jobqueue` up to date, on the connection and in the transaction of `op`.

    What it has already is left alone, so a later migration of yours may call it again.
    """
    migrations.upgrade_within(op.get_bind())
