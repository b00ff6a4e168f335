"""Slots of jobs that do not stop: ended in the books, they run on."""

from __future__ import annotations

import logging
from asyncio import Task as Coroutine
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.worker.lines import Line
from jobqueue.worker.rooms import Rooms
from jobqueue.worker.stops import Running

log = logging.getLogger("jobqueue.worker")


class LostSlots:
    """Counts them, and tells when half of a queue's, or of a pool's room, is lost.

    too_many: called with what is half lost, in words.
    """

    def __init__(
        self, tasks: Mapping[str, Task[..., Any]], rooms: Rooms, too_many: Callable[[str], None]
    ) -> None:
        self._tasks = tasks
        self._rooms = rooms
        self._too_many = too_many
        self._attempts: Running = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[Coroutine[None]]:
        """Give what runs on."""
        return iter(self._attempts.values())

    def add(self, line: Line, attempt: Attempt, running: Coroutine[None]) -> None:
        """Count the slot of an attempt that was given up."""
        self._attempts[attempt] = running
        job = attempt.job
        line.lost += 1
        log.error(
            "job %s %s: does not stop, and runs on in its slot, which is lost until it ends; lost "
            "of queue %s: %d of %d slots",
            *(job.task, job.id, job.queue, line.lost, line.concurrency),
        )
        if line.lost * 2 >= line.concurrency:
            self._too_many(f"{line.lost} of {line.concurrency} slots of queue {job.queue}")
        elif what := self._rooms.half_lost(self._tasks[job.task], self._attempts):
            self._too_many(what)

    def stopped_after_all(self, line: Line, attempt: Attempt) -> None:
        """Take a slot back whose attempt has ended; it is none of these if the worker ends."""
        if self._attempts.pop(attempt, None) is None:
            return
        line.lost -= 1
        job = attempt.job
        log.warning(
            "job %s %s: has ended after all, %.3f s after its start; its slot is free again",
            *(job.task, job.id, perf_counter() - attempt.began),
        )
