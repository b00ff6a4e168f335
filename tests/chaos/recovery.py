"""How soon work went on after each fault, as the notes tell it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.evidence import Evidence, Run
from tests.chaos.happened import Happened
from tests.chaos.plan import Kind

OUTAGES = (
    *(Kind.RESTART_FAST, Kind.RESTART_IMMEDIATE, Kind.FAIL_OVER),
    *(Kind.STALL_REPLICA, Kind.LOSE_ANSWERS, Kind.FILL_CONNECTIONS, Kind.END_SESSIONS),
)
LOSSES = (Kind.KILL, Kind.KILL_LEADER, Kind.FREEZE, Kind.FREEZE_LEADER, Kind.PROXY_HALF_OPEN)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds of each case of one kind of fault.

    Of an outage: the longest time in which no job started, less what the outage was meant to last.
    Of a lost worker: from its loss until the last of its jobs was started again.
    """

    kind: Kind
    seconds: Sequence[float]

    def __str__(self) -> str:
        middle = sorted(self.seconds)[len(self.seconds) // 2]
        longest = max(self.seconds)
        times = len(self.seconds)
        return f"{self.kind}: {times} times, median {middle:.1f} s, longest {longest:.1f} s"


def recoveries(evidence: Evidence) -> list[Recovery]:
    """Give, for each kind, how long nothing was started, or a lost job waited to be run again."""
    found: dict[Kind, list[float]] = defaultdict(list)
    starts = [run.began for run in evidence.runs]
    again = _runs_again(evidence.runs)
    for fault in evidence.happened:
        if fault.kind in OUTAGES:
            gap = _longest_gap(starts, fault)
            found[fault.kind].append(max(0.0, gap - fault.planned_seconds))
        elif fault.kind in LOSSES:
            waits = [
                after - fault.began
                for run, after in again
                if _held(fault, run) and after > fault.began
            ]
            if waits:
                found[fault.kind].append(max(waits))
    return [Recovery(kind, seconds) for kind, seconds in sorted(found.items())]


def _runs_again(runs: Sequence[Run]) -> list[tuple[Run, float]]:
    """Pair each run that was cut short or overtaken with the start of the next."""
    by_job: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_job[run.job].append(run)
    return [
        (before, after.began)
        for some in by_job.values()
        for before, after in pairwise(some)
        if before.ended is None or before.ended > after.began
    ]


def _held(fault: Happened, run: Run) -> bool:
    return (
        fault.touched(run.pid)
        and run.began <= fault.began
        and not (run.ended is not None and run.ended < fault.began)
    )


def _longest_gap(starts: Sequence[float], fault: Happened) -> float:
    """Give the longest time without a start from the fault's beginning to a while after its end."""
    first = bisect_right(starts, fault.began)
    last = bisect_right(starts, fault.ended + 5.0)
    seen = [fault.began, *starts[first : last + 1]]
    return max((after - before for before, after in pairwise(seen)), default=0.0)
