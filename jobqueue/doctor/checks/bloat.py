"""Tables and indexes of ours that are mostly empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import size
from jobqueue.store.statement import Statement, sql


class Relation(NamedTuple):
    """A table or an index with its size, what its rows need at the most, and how many they are."""

    name: str
    is_index: bool
    bytes: int
    needed: int
    rows: int


@check(
    why="what is empty is read and cached all the same; vacuum makes room in it, returns little",
    needs_schema=True,
)
def bloat(patient: Patient) -> Iterator[Problem]:
    """Find what is far larger than it has to be."""
    for one in patient.run(
        Statement(sql("doctor/bloat"), {"bytes": patient.limits.bloat_bytes}, Relation._make)
    ):
        kind = "index" if one.is_index else "table"
        yield Problem(
            f"{kind} {one.name} has {size(one.bytes)}, for {one.rows:,} rows that need "
            f"{size(one.needed)} at the most",
            one._asdict(),
            _remedies(one),
        )


def _remedies(one: Relation) -> tuple[str, ...]:
    if one.is_index:
        return (f"REINDEX INDEX CONCURRENTLY jobqueue.{one.name};",)
    return (
        "# locks the table while it works; at a quiet hour, or use the extension pg_repack:",
        f"VACUUM (FULL, ANALYZE) jobqueue.{one.name};",
    )
