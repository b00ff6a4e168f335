"""Clocks that are apart."""

from __future__ import annotations

from collections.abc import Iterator

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store import stats

REMEDY = "timedatectl set-ntp true  # or another NTP client, there and on the server"


@check(
    why="the queue goes by the server's clock; moments that code takes from its own are off",
    needs_schema=False,
)
def clocks(patient: Patient) -> Iterator[Problem]:
    """Compare this machine's clock with the server's."""
    patient.run(stats.now())  # the connection is open then: what is timed is the question alone
    before = patient.wall_clock()
    [server] = patient.run(stats.now())
    after = patient.wall_clock()
    # The server answered at some moment in between.
    ahead = (before + after) / 2 - server.timestamp()
    doubt = (after - before) / 2
    if abs(ahead) > patient.limits.clock_seconds + doubt:
        way = "ahead of" if ahead > 0 else "behind"
        yield Problem(
            f"the clock of this machine is {abs(ahead):.1f} s {way} the server's",
            {"ahead_seconds": round(ahead, 3), "doubt_seconds": round(doubt, 3)},
            (REMEDY,),
        )
