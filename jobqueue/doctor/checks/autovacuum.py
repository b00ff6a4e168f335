"""Autovacuum that is off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import select
from jobqueue.store.statement import Statement, sql


class Off(NamedTuple):
    """Where it is off: the `server`, by a setting, or a `table`, by its name."""

    where: str
    name: str
    source: str


@check(why="dead rows pile up, and every job makes some", needs_schema=False)
def autovacuum(patient: Patient) -> Iterator[Problem]:
    """Find where it is off."""
    for one in patient.run(Statement(sql("doctor/autovacuum"), {}, Off._make)):
        if one.where == "table":
            yield Problem(
                f"autovacuum is off for the table {one.name}",
                one._asdict(),
                (f"ALTER TABLE jobqueue.{one.name} RESET (autovacuum_enabled);",),
            )
        else:
            yield Problem(
                f"{one.name} is off for the whole server",
                one._asdict(),
                (f"ALTER SYSTEM SET {one.name} = on;", select("pg_reload_conf()")),
            )
