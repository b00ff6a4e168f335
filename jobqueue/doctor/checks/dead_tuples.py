"""Tables of ours with many dead rows that nobody has vacuumed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store.statement import Statement, sql


class Table(NamedTuple):
    """A table with its dead and live rows, and when it was last vacuumed."""

    table: str
    dead: int
    live: int
    vacuumed_at: datetime | None


@check(why="whatever reads the jobs walks over the dead rows first", needs_schema=True)
def dead_tuples(patient: Patient) -> Iterator[Problem]:
    """Find tables that vacuum should have come to."""
    limits = patient.limits
    for one in patient.run(
        Statement(
            sql("doctor/dead_tuples"),
            {"tuples": limits.dead_tuples, "seconds": limits.unvacuumed_seconds},
            Table._make,
        )
    ):
        yield Problem(
            f"table {one.table} has {one.dead:,} dead rows beside {one.live:,} live ones, and was "
            + (
                f"last vacuumed at {one.vacuumed_at:%F %T %Z}"
                if one.vacuumed_at
                else "never vacuumed"
            ),
            one._asdict(),
            (
                f"VACUUM (ANALYZE) jobqueue.{one.table};",
                "# and see the check `autovacuum`; or raise autovacuum_max_workers",
            ),
        )
