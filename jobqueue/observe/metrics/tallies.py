"""What a worker counts of its attempts: plain numbers, which cost next to nothing."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from operator import add

from jobqueue.core.outcome import Kind
from jobqueue.observe.metrics.labels import Labels
from jobqueue.store.claims import Claimed

BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper ends of the buckets of times, in seconds; one more bucket takes what is longer."""
MOST_TASKS = 300
MOST_QUEUES = 100

# Versions of UUIDs begin here in their text; 7 has the milliseconds since 1970 before it.
_VERSION_AT = 14
# After these an attempt counts as the job's first try, and after those of them it has failed.
_TRIED = frozenset({Kind.RETRIED, Kind.DEAD})


# So many numbers wait to be counted together.
MOST_PENDING = 2_000


class Times:
    """A histogram of times. counts: by bucket, each without those below it."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add_all(self, times: Sequence[float]) -> None:
        """Count several, each at a fraction of the cost of one."""
        ordered = sorted(times)
        below = 0
        for bucket, bound in enumerate(BOUNDS):
            up_to = bisect_right(ordered, bound, below)
            self.counts[bucket] += up_to - below
            below = up_to
        self.counts[-1] += len(ordered) - below
        self.seconds += sum(ordered)


class QueueTally:
    """Of one queue.

    waits: from when a job was due to when its attempt began. latencies: from when a job was
    enqueued, or due if that is later, to its completion.
    first, first_failures: how many jobs had their first attempt, and of how many it failed.
    """

    __slots__ = ("first", "first_failures", "latencies", "waits")

    def __init__(self) -> None:
        self.waits = Times()
        self.latencies = Times()
        self.first = 0
        self.first_failures = 0


class TaskTally:
    """Of one task in one queue. runs: how long attempts took.

    pending: of first attempts that completed their job and are not counted yet, in turn how long
        each took, and when it began less when its job was due, each by its own clock.
    """

    __slots__ = ("completed", "others", "pending", "queue", "runs")

    def __init__(self, queue: QueueTally) -> None:
        self.queue = queue
        self.pending: list[float] = []
        self.completed = 0
        self.others = dict.fromkeys(Kind, 0)
        self.runs = Times()

    def outcomes(self) -> Mapping[Kind, int]:
        """How many attempts ended how."""
        return {**self.others, Kind.COMPLETED: self.completed}

    def count(self, clock_ahead: float) -> None:
        """Count what is pending. More may be added meanwhile, in another thread."""
        size = len(self.pending)
        pending = self.pending[:size]
        del self.pending[:size]
        took = pending[::2]
        began = [one + clock_ahead for one in pending[1::2]]
        waited = began if min(began, default=0.0) >= 0 else [max(0.0, one) for one in began]
        self.completed += len(took)
        self.runs.add_all(took)
        self.queue.first += len(took)
        self.queue.waits.add_all(waited)
        self.queue.latencies.add_all([*map(add, waited, took)])


class Tallies:
    """The tallies of a worker, by labels. Told on its event loop, read in any thread after `count`.

    clock_ahead: what the database's clock, in seconds since 1970, is ahead of `perf_counter`.
    """

    def __init__(self, most_tasks: int = MOST_TASKS, most_queues: int = MOST_QUEUES) -> None:
        self.clock_ahead = 0.0
        self.queues: dict[str, QueueTally] = {}
        self.tasks: dict[tuple[str, str], TaskTally] = {}
        self._task_labels = Labels(most_tasks)
        self._queue_labels = Labels(most_queues)
        self._by_name: dict[tuple[str, str], TaskTally] = {}
        self._lock = threading.Lock()

    def completed(self, job: Claimed, began: float, seconds: float) -> None:
        """Count an attempt that completed its job. began: by `perf_counter`."""
        tally = self._by_name.get((job.queue, job.task)) or self._new(job)
        if job.attempt == 1:
            # The way of nearly all: one step, in which no other thread can be.
            tally.pending += (seconds, began - job.run_at)
            if len(tally.pending) >= MOST_PENDING:
                self._count(tally)
            return
        waited = max(0.0, began + self.clock_ahead - job.run_at)
        tally.completed += 1
        tally.runs.add(seconds)
        tally.queue.waits.add(waited)
        tally.queue.latencies.add(waited + seconds + _before(job))

    def ended(self, job: Claimed, kind: Kind, began: float, seconds: float) -> None:
        """Count an attempt that ended in another way."""
        tally = self._by_name.get((job.queue, job.task)) or self._new(job)
        tally.others[kind] += 1
        tally.runs.add(seconds)
        queue = tally.queue
        queue.waits.add(max(0.0, began + self.clock_ahead - job.run_at))
        if job.attempt == 1 and kind in _TRIED:
            queue.first += 1
            queue.first_failures += 1

    def count(self) -> None:
        """Count what is pending, before the numbers are read."""
        for tally in list(self.tasks.values()):
            self._count(tally)

    def _count(self, tally: TaskTally) -> None:
        with self._lock:
            tally.count(self.clock_ahead)

    def _new(self, job: Claimed) -> TaskTally:
        queue_label = self._queue_labels.of(job.queue)
        label = (queue_label, self._task_labels.of(job.task))
        queue = self.queues.setdefault(queue_label, QueueTally())
        tally = self.tasks.setdefault(label, TaskTally(queue))
        if len(self._by_name) < MOST_TASKS * MOST_QUEUES:
            self._by_name[job.queue, job.task] = tally
        return tally


def _before(job: Claimed) -> float:
    """Give the seconds from when a job was enqueued to its last retry's moment, as far as told."""
    if job.id[_VERSION_AT] != "7":
        return 0.0
    enqueued = int(job.id[:8] + job.id[9:13], 16) / 1000
    return max(0.0, job.run_at - enqueued)
