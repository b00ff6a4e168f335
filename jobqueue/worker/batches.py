"""Batches: jobs that are collected in hand, and how the jobs of one end that has run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from jobqueue.client.batches import BatchAttempt
from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.batch import outcomes
from jobqueue.core.hiding import secret_texts
from jobqueue.store.claims import Claimed
from jobqueue.worker.containment import forked
from jobqueue.worker.ending import Ending, raised, returned
from jobqueue.worker.lines import Line

Call = Callable[[Callable[..., Any], list[Any], dict[str, Any]], Awaitable[Any]]
"""Calls a function in a pool."""

# Between two looks for more jobs of a batch: a part of its wait, within these bounds.
LOOKS = 20
SHORTEST_LOOK_SECONDS = 0.005
LONGEST_LOOK_SECONDS = 0.1


class Collecting:
    """A batch that is not full yet. It has its slot, so that it can begin when its wait is over."""

    __slots__ = ("jobs", "line", "look", "size", "task", "timer")

    def __init__(self, line: Line, task: Task[..., Any], size: int) -> None:
        self.line = line
        self.task = task
        self.size = size
        self.jobs: list[Claimed] = []
        self.timer: asyncio.TimerHandle | None = None
        self.look: asyncio.TimerHandle | None = None


class Batches:
    """Collects the jobs of tasks that take several at once; at most one batch a queue and task.

    start: begins a batch in the slot that it has. release: frees the slot of one that was given up.
    wake: set when the claimer should look for more.
    """

    def __init__(
        self,
        start: Callable[[Line, Task[..., Any], list[Claimed]], None],
        release: Callable[[Line, Task[..., Any]], None],
        wake: asyncio.Event,
    ) -> None:
        self._start = start
        self._release = release
        self._wake = wake
        self._open: dict[tuple[str, str], Collecting] = {}
        self._hungry: list[Collecting] = []
        self.any = False
        """whether a batch is being collected"""

    def collects(self, job: Claimed) -> bool:
        """Whether there is a batch for this job, which has been through its gates if it has any."""
        one = self._open.get((job.queue, job.task))
        return one is not None and (one.task.flow is None or job.starts_at is not None)

    def begin(self, line: Line, task: Task[..., Any]) -> None:
        """Begin to collect, in a slot that was taken for it."""
        assert task.batch is not None  # noqa: S101 - asked before
        one = Collecting(line, task, task.batch.size)
        self._open[line.queue, task.name] = one
        self.any = True
        one.timer = asyncio.get_running_loop().call_later(task.batch.wait_seconds, self._close, one)
        self._hunger(one)

    def add(self, job: Claimed) -> None:
        """Put a job into the batch that is collected for it; one that is full begins."""
        one = self._open[job.queue, job.task]
        one.jobs.append(job)
        if len(one.jobs) >= one.size:
            self._close(one)

    def join(self, line: Line) -> None:
        """Put what is in hand in a line into the batches that are collected for it."""
        for job in line.take_out(self.collects):
            if self.collects(job):
                self.add(job)
            else:  # it has become full meanwhile
                line.buffer.append(job)

    def missing(self) -> Iterator[tuple[str, str, int]]:
        """Give queue, task and number of what to claim for batches that are due for a look."""
        hungry, self._hungry = self._hungry, []
        for one in hungry:
            if self._open.get((one.line.queue, one.task.name)) is not one:
                continue
            assert one.task.batch is not None  # noqa: S101 - it is a batch
            pause = one.task.batch.wait_seconds / LOOKS
            pause = min(max(pause, SHORTEST_LOOK_SECONDS), LONGEST_LOOK_SECONDS)
            one.look = asyncio.get_running_loop().call_later(pause, self._hunger, one)
            yield one.line.queue, one.task.name, one.size - len(one.jobs)

    def in_hand(self) -> Iterator[Claimed]:
        """Give the jobs that wait for others."""
        for one in self._open.values():
            yield from one.jobs

    def take_out(self, wanted: Callable[[Claimed], bool]) -> list[Claimed]:
        """Give up jobs that wait for others; the slot of a batch with none left is freed."""
        taken: list[Claimed] = []
        for one in list(self._open.values()):
            out = [job for job in one.jobs if wanted(job)]
            if not out:
                continue
            taken += out
            one.jobs = [job for job in one.jobs if not wanted(job)]
            if not one.jobs:
                self._forget(one)
                self._release(one.line, one.task)
        return taken

    def _hunger(self, one: Collecting) -> None:
        self._hungry.append(one)
        self._wake.set()

    def _close(self, one: Collecting) -> None:
        self._forget(one)
        self._start(one.line, one.task, one.jobs)

    def _forget(self, one: Collecting) -> None:
        del self._open[one.line.queue, one.task.name]
        self.any = bool(self._open)
        for timer in (one.timer, one.look):
            if timer is not None:
                timer.cancel()


async def run_batch(call: Call, task: Task[..., Any], attempt: BatchAttempt) -> list[Ending]:
    """Run a batch in a pool, and say how each of its jobs ended."""
    endings: dict[Attempt, Ending] = {}
    items: list[Any] = []
    entered: list[Attempt] = []
    for one in attempt.members:
        try:
            items.append(_item(task, one))
            entered.append(one)
        except BaseException as error:  # noqa: BLE001 - ends this job, no other
            endings[one] = raised(task, one, error)
    attempt.entered = entered
    try:
        value = await call(task.function, [items], {}) if items else None
        forked.leave()
        given = outcomes(task.name, value, len(items))
    except BaseException as error:  # noqa: BLE001 - ends these jobs, nothing else
        forked.leave()
        secrets = _secrets(task, attempt)
        endings |= {one: raised(task, one, error, secrets) for one in entered}
    else:
        failed = any(isinstance(outcome, BaseException) for outcome in given)
        secrets = _secrets(task, attempt) if failed else None
        for one, outcome in zip(entered, given, strict=True):
            endings[one] = _ended(task, one, outcome, secrets)
    return [endings[one] for one in attempt.members]


def _item(task: Task[..., Any], one: Attempt) -> object:
    assert task.make_item is not None  # noqa: S101 - it takes batches
    args, kwargs = task.signature.decode(one.job.args)
    return task.make_item(*args, **kwargs)


def _secrets(task: Task[..., Any], attempt: BatchAttempt) -> tuple[str, ...]:
    """Give what is to be hidden in any error: it may tell of other jobs of the batch as well."""
    names = task.signature.secrets
    found = {text for one in attempt.members for text in secret_texts(one.job.args, names)}
    return tuple(sorted(found, key=len, reverse=True))


def _ended(
    task: Task[..., Any], one: Attempt, outcome: object, secrets: tuple[str, ...] | None
) -> Ending:
    """Say how one job ended, by the outcome that its batch has for it."""
    try:
        if isinstance(outcome, BaseException):
            return raised(task, one, outcome, secrets)
        return returned(task, one, outcome)
    except BaseException as error:  # noqa: BLE001 - a result that cannot be kept, say
        return raised(task, one, error)
