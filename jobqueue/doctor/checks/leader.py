"""A fleet without a leader."""

from __future__ import annotations

import time
from collections.abc import Iterator

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store import maintenance

PAUSE_SECONDS = 0.25


@check(
    why="due jobs are not promoted, ticks not enqueued, jobs of lost workers not taken back",
    needs_schema=True,
)
def leader(patient: Patient) -> Iterator[Problem]:
    """Look, and again for as long as it takes a worker to take over."""
    deadline = time.monotonic() + patient.limits.leader_seconds
    while True:
        [candidacy] = patient.run(maintenance.candidacy())
        if not candidacy.absent or not candidacy.workers:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(PAUSE_SECONDS)
    yield Problem(
        f"none of {candidacy.workers} workers leads",
        {"workers": candidacy.workers},
        (
            "# start one without --no-leader:",
            "jobqueue worker MODULE:NAME",
            "# or see why none of them can: their log says `leader: cannot stand for election`",
        ),
    )
