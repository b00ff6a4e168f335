"""Clocks that are apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store import stats
from jobqueue.store.statement import Statement, sql

REMEDY = "timedatectl set-ntp true  # or another NTP client, there and on the server"


# A heartbeat may wait for its turn in a busy worker: its clock seems behind by as much.
HEARTBEAT_SECONDS = 5.0


class WorkerClock(NamedTuple):
    """A worker's clock beside the server's."""

    worker: str
    host: str
    ahead_seconds: float


@check(
    why="the queue goes by the server's clock; moments that code takes from its own are off",
    needs_schema=True,
)
def clocks(patient: Patient) -> Iterator[Problem]:
    """Compare this machine's clock, and those of workers, with the server's."""
    patient.run(stats.now())  # the connection is open then: what is timed is the question alone
    before = patient.wall_clock()
    [server] = patient.run(stats.now())
    after = patient.wall_clock()
    # The server answered at some moment in between.
    ahead = (before + after) / 2 - server.timestamp()
    doubt = (after - before) / 2
    limit = patient.limits.clock_seconds
    if abs(ahead) > limit + doubt:
        yield Problem(
            f"the clock of this machine is {_way(ahead)} the server's",
            {"ahead_seconds": round(ahead, 3), "doubt_seconds": round(doubt, 3)},
            (REMEDY,),
        )
    for one in patient.run(
        Statement(
            sql("doctor/worker_clocks"),
            {"ahead": limit, "behind": limit + HEARTBEAT_SECONDS},
            WorkerClock._make,
        )
    ):
        yield Problem(
            f"the clock of worker {one.worker}, on {one.host}, is {_way(one.ahead_seconds)} the "
            "server's",
            one._asdict(),
            (REMEDY,),
        )


def _way(ahead: float) -> str:
    return f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'}"
