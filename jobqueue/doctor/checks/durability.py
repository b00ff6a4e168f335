"""Settings that lose commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import identifier, select
from jobqueue.store.statement import Statement, sql

LOSSES = {
    "fsync": "a crash of the machine can damage the whole database",
    "full_page_writes": "a crash of the machine can damage pages, unless the file system writes "
    "each page whole",
    "synchronous_commit": "a crash of the server loses what was committed in the last moments",
}
# These are told by the rows that name the role or the database.
GIVEN = {"database", "user", "database user"}


class Off(NamedTuple):
    """A setting that is off, for this session or for others. role, database: it was given to."""

    where: str
    setting: str
    value: str
    source: str
    role: str | None
    database: str | None


@check(
    why="jobs and business writes that were committed can be gone, or run twice", needs_schema=False
)
def durability(patient: Patient) -> Iterator[Problem]:
    """Find them, wherever they were set."""
    for one in patient.run(Statement(sql("doctor/durability"), {}, Off._make)):
        if one.where == "session" and one.source in GIVEN:
            continue
        whom = " in ".join(
            f"{kind} {name!r}"
            for kind, name in (("role", one.role), ("database", one.database))
            if name is not None
        )
        yield Problem(
            f"{one.setting} is off{f' for {whom}' if whom else ''}: {LOSSES[one.setting]}",
            one._asdict(),
            _remedies(one),
        )


def _remedies(one: Off) -> tuple[str, ...]:
    if one.where == "session" and one.source == "client":
        return (f"# take {one.setting} out of the URL or PGOPTIONS",)
    if one.where == "session":
        return (f"ALTER SYSTEM SET {one.setting} = on;", select("pg_reload_conf()"))
    reset = f"RESET {one.setting};"
    base = None if one.database is None else identifier(one.database)
    if one.role is None:
        return (f"ALTER DATABASE {base} {reset}",)
    inside = f" IN DATABASE {base}" if base else ""
    return (f"ALTER ROLE {identifier(one.role)}{inside} {reset}", "# then let it connect anew")
