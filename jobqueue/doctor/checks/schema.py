"""Whether the schema is the one that this release was built for."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from jobqueue.core.errors import SchemaError, SchemaMissing, SchemaTooNew
from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store.database import SCHEMA_VERSION, judge_schema, schema_version

UPGRADE = "pip install --upgrade jobqueue"


@check(why="a worker refuses a schema that it cannot work with", needs_schema=False)
def schema(patient: Patient) -> Iterator[Problem]:
    """Compare the version of the schema with that of this release."""
    try:
        rows = patient.run(schema_version())
    except psycopg.errors.UndefinedTable:
        rows = []
    evidence = {"release_needs": SCHEMA_VERSION, "found": rows[0][0] if rows else None}
    try:
        judge_schema(rows)
    except SchemaTooNew as error:
        yield Problem(_what(error), evidence, (UPGRADE,))
    except SchemaError as error:
        yield Problem(_what(error), evidence, ("jobqueue migrate",))
    else:
        if rows[0][0] > SCHEMA_VERSION:
            yield Problem(
                f"schema version {rows[0][0]}: ahead of {SCHEMA_VERSION}, which this release was "
                "built for; it still works with it",
                evidence,
                (UPGRADE,),
            )


def _what(error: SchemaError) -> str:
    """Give what is wrong without what to do, which is told beside it."""
    if isinstance(error, SchemaMissing):
        return "schema 'jobqueue': not in this database"
    return str(error).rpartition(";")[0]
