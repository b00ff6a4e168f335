"""Jobs in hand that wait for the moment from which their rate lets them start."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import count

from jobqueue.core.limits import AHEAD_SECONDS, LATEST_SECONDS
from jobqueue.store.claims import Claimed
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.lines import MOST_PREFETCHED, Line

# A timer is no more exact than this.
TIMER_SECONDS = 0.001


def on_time_until(database_clock: DatabaseClock, job: Claimed) -> float | None:
    """Give when the moment of a job is over, by `clock`; None if it has none."""
    if not job.starts_at:
        return None
    return database_clock.until(job.starts_at + LATEST_SECONDS)


class Paced:
    """Keeps claimed jobs until their moment has come by the database's clock, and no longer.

    The moments of a limit are so far apart that no window holds too many as long as each job starts
    within the slack after its own.

    due: takes in jobs whose moments have come, in that order.
    """

    def __init__(
        self, clock: DatabaseClock, due: Callable[[Sequence[tuple[Line, Claimed]]], None]
    ) -> None:
        self._clock = clock
        self._due = due
        self._heap: list[tuple[float, int, Line, Claimed]] = []
        self._numbers = count()
        self._waiting: Counter[Line] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._heap)

    def __iter__(self) -> Iterator[Claimed]:
        """Give those that wait."""
        return (job for _, _, _, job in self._heap)

    def put(self, line: Line, job: Claimed) -> None:
        """Keep a job until its moment."""
        assert job.starts_at is not None  # noqa: S101 - others are not paced
        heappush(self._heap, (job.starts_at, next(self._numbers), line, job))
        self._waiting[line] += 1

    def look(self) -> None:
        """Give away what is due, and come back when the next is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        earliest, _ = self._clock.bounds()
        due: list[tuple[Line, Claimed]] = []
        while self._heap and self._heap[0][0] <= earliest:
            _, _, line, job = heappop(self._heap)
            self._waiting[line] -= 1
            due.append((line, job))
        if due:
            self._due(due)
        if self._heap and self._timer is None:
            seconds = max(self._heap[0][0] - earliest, TIMER_SECONDS)
            # The clock is known worse after a while without answers: then a little too early.
            self._timer = asyncio.get_running_loop().call_later(min(seconds, 1.0), self.look)

    def on_time(self, job: Claimed) -> bool:
        """Whether a job may still start whose moment has come."""
        assert job.starts_at is not None  # noqa: S101 - the same
        _, latest = self._clock.bounds()
        return latest <= job.starts_at + LATEST_SECONDS

    def remove(self, wanted: Callable[[Claimed], bool]) -> list[tuple[Line, Claimed]]:
        """Take out and give the jobs that are wanted."""
        taken = [(line, job) for _, _, line, job in self._heap if wanted(job)]
        self._heap = [one for one in self._heap if not wanted(one[3])]
        heapify(self._heap)
        self._waiting = Counter(line for _, _, line, _ in self._heap)
        return taken

    def room(self, line: Line) -> int:
        """How many more of a queue would find a slot when their moment comes."""
        soon = line.concurrency
        if line.mean_seconds is not None:
            soon += int(line.concurrency * AHEAD_SECONDS / max(line.mean_seconds, 1e-4))
        return min(soon, MOST_PREFETCHED) - self._waiting[line]
