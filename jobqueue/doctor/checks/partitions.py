"""Partitions of the history that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.doctor.words import select
from jobqueue.store.statement import Statement, sql

# The leader makes them a week ahead, and looks every hour: one that is missing tomorrow is late.
DAYS_AHEAD = 1


class Day(NamedTuple):
    """A day without a partition. in_default: about how many rows the default partition has."""

    day: str
    in_default: int | None


@check(
    why="history collects in job_history_default then, which is not dropped by the day",
    needs_schema=True,
)
def partitions(patient: Patient) -> Iterator[Problem]:
    """Look at today and tomorrow."""
    missing = patient.run(Statement(sql("doctor/partitions"), {"days": DAYS_AHEAD}, Day._make))
    if missing:
        days = [one.day for one in missing]
        yield Problem(
            f"the history has no partition for {' and '.join(days)}",
            {"days": days, "in_default": missing[0].in_default},
            (
                select("jobqueue.make_history_partitions()") + "  -- as the owner of the schema",
                "# the leader does this every hour: its log says why it does not (`prune: failed`)",
            ),
        )
