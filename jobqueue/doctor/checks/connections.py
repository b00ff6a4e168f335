"""Connections that are nearly all in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import identifier
from jobqueue.store.statement import Statement, sql


class Use(NamedTuple):
    """Connections of the `server`, a `database` or a `role`. limit: -1 for none."""

    of: str
    name: str
    used: int
    limit: int


class Holder(NamedTuple):
    """Who has how many."""

    application: str
    connections: int


@check(
    why="when they are used up, workers and applications that lose a connection get no other",
    needs_schema=False,
)
def connections(patient: Patient) -> Iterator[Problem]:
    """Compare what is used with each limit that applies here."""
    for one in patient.run(Statement(sql("doctor/connections"), {}, Use._make)):
        if one.limit < 0 or one.used <= patient.limits.connections * one.limit:
            continue
        holders = patient.run(Statement(sql("doctor/holders"), {}, Holder._make))
        yield Problem(
            f"{one.used} of {one.limit} connections of the {one.of} "
            f"{one.name + ' ' if one.name else ''}are in use or reserved",
            {**one._asdict(), "most": {who.application: who.connections for who in holders}},
            (
                "# smaller pools in the applications, fewer workers with more slots, PgBouncer",
                _raise(one),
            ),
        )


def _raise(one: Use) -> str:
    if one.of == "server":
        return f"ALTER SYSTEM SET max_connections = {one.limit * 2};  -- and restart the server"
    kind = one.of.upper()
    return f"ALTER {kind} {identifier(one.name)} CONNECTION LIMIT {one.limit * 2};"
