"""Prepared transactions that nobody has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import duration, literal
from jobqueue.store.statement import Statement, sql


class Prepared(NamedTuple):
    """A prepared transaction. transactions: how many have begun since."""

    gid: str
    owner: str
    seconds: float
    transactions: int


@check(
    why="a prepared transaction keeps its locks and holds back vacuum, also through restarts",
    needs_schema=False,
)
def prepared(patient: Patient) -> Iterator[Problem]:
    """Find those that were prepared long ago."""
    seconds = patient.limits.snapshot_seconds
    for one in patient.run(Statement(sql("doctor/prepared"), {"seconds": seconds}, Prepared._make)):
        yield Problem(
            f"transaction {one.gid!r} of {one.owner} was prepared {duration(one.seconds)} ago",
            one._asdict(),
            (
                "# commit it, or take it back, as its transaction manager would:",
                f"COMMIT PREPARED {literal(one.gid)};",
                f"ROLLBACK PREPARED {literal(one.gid)};",
            ),
        )
