"""Schedules that do not do what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import duration
from jobqueue.store.statement import Statement, sql


class Schedule(NamedTuple):
    """A schedule and how it is doing."""

    name: str
    task: str
    state: str
    problem: str | None
    overdue_seconds: float | None
    task_known: bool


@check(why="their ticks enqueue no jobs, or jobs that nobody runs", needs_schema=True)
def schedules(patient: Patient) -> Iterator[Problem]:
    """Find those that are broken, late, or of a task that no worker has."""
    late = patient.limits.late_seconds
    for one in patient.run(Statement(sql("doctor/schedules"), {"seconds": late}, Schedule._make)):
        yield Problem(
            f"schedule {one.name!r}: {_what(one, late)}", one._asdict(), _remedies(one, late)
        )


def _what(one: Schedule, late: float) -> str:
    if one.state == "broken":
        return f"cannot be used ({one.problem})"
    if (one.overdue_seconds or 0.0) > late:
        return f"its tick is {duration(one.overdue_seconds or 0.0)} late"
    return f"no worker has its task {one.task!r}"


def _remedies(one: Schedule, late: float) -> tuple[str, ...]:
    if one.state == "broken":
        return (
            "# give it a rule that can be used, in your code or by:",
            "jobqueue schedules --help",
        )
    if (one.overdue_seconds or 0.0) > late:
        return ("# the leader enqueues ticks: see that there is one:", "jobqueue stats")
    return (
        "jobqueue worker MODULE:NAME --import MODULE  # one that has the task",
        "# or remove the schedule: jobqueue schedules --help",
    )
