"""Sessions whose old snapshot holds back vacuum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import CannotSee, Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import duration, identifier, select
from jobqueue.store.statement import Statement, sql


class Holder(NamedTuple):
    """A session and what it holds. transactions: how many have begun since."""

    pid: int
    user: str | None
    application: str
    state: str | None
    seconds: float
    transactions: int
    query: str


@check(
    why="vacuum keeps every row that died since, and whatever reads the jobs walks over them",
    needs_schema=False,
)
def snapshots(patient: Patient) -> Iterator[Problem]:
    """Find transactions that have been open for long."""
    seconds = patient.limits.snapshot_seconds
    for one in patient.run(Statement(sql("doctor/snapshots"), {"seconds": seconds}, Holder._make)):
        yield Problem(
            f"session {one.pid} ({one.application or 'no application name'}, user {one.user}) has "
            f"held back vacuum for {duration(one.seconds)}",
            one._asdict(),
            (
                select(f"pg_terminate_backend({one.pid})"),
                *_for_all(one),
            ),
        )
    [(hidden, role)] = patient.run(Statement(sql("doctor/hidden_sessions"), {}, _pair))
    if hidden:
        raise CannotSee(
            f"{hidden} sessions of other roles are hidden from this one",
            f"GRANT pg_read_all_stats TO {identifier(role)};",
        )


def _for_all(one: Holder) -> tuple[str, ...]:
    if one.state != "idle in transaction" or one.user is None:
        return ()
    limit = "SET idle_in_transaction_session_timeout = '5min'"
    return (f"ALTER ROLE {identifier(one.user)} {limit};",)


def _pair(row: tuple[Any, ...]) -> tuple[int, str]:
    return row[0], row[1]
