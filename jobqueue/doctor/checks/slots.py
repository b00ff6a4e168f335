"""Replication slots, and standbys without one, that hold back vacuum or keep the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import literal, select, size
from jobqueue.store.statement import Statement, sql


class Slot(NamedTuple):
    """A slot or a standby. transactions: for how many it holds rows; bytes: of the log it keeps."""

    kind: str
    name: str
    active: bool
    transactions: int | None
    bytes: int | None
    status: str | None


@check(
    why="vacuum keeps rows that a replica may still need, and the log they are in fills the disk",
    needs_schema=False,
)
def slots(patient: Patient) -> Iterator[Problem]:
    """Find those that are far behind."""
    limits = patient.limits
    for one in patient.run(
        Statement(
            sql("doctor/slots"),
            {"transactions": limits.slot_transactions, "bytes": limits.slot_bytes},
            Slot._make,
        )
    ):
        yield Problem(_what(one), one._asdict(), _remedies(one))


def _what(one: Slot) -> str:
    if one.status == "lost":
        return f"replication slot {one.name!r} is lost: what it needs of the log is gone"
    held = f"{one.transactions or 0:,} transactions"
    if one.kind == "standby":
        return f"standby {one.name!r} has held back vacuum for {held} (hot_standby_feedback)"
    used = "in use" if one.active else "used by nobody"
    kept = size(one.bytes or 0)
    return (
        f"replication slot {one.name!r}, {used}, holds back vacuum for {held} and keeps {kept} of "
        "the log"
    )


def _remedies(one: Slot) -> tuple[str, ...]:
    if one.kind == "standby":
        return (
            "# end the long query on the standby; or there, if it may be cancelled:",
            "ALTER SYSTEM SET hot_standby_feedback = off;",
            select("pg_reload_conf()"),
        )
    drop = select(f"pg_drop_replication_slot({literal(one.name)})")
    if one.active:
        return ("# let its consumer catch up: it is connected, but behind",)
    if one.status == "lost":
        return (drop,)
    return ("# start its consumer again, or, if there is none any more:", drop)
