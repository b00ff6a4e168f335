"""Telling the books what this worker counts, for those who ask without Prometheus."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import psycopg

from jobqueue.core.errors import one_line
from jobqueue.core.outcome import Kind
from jobqueue.observe.metrics.tallies import QueueTally, Tallies
from jobqueue.store import metrics
from jobqueue.store.metrics import QueueCounts
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 10.0

NOTHING = QueueCounts("", 0, 0, 0, 0, 0, 0.0, ())


class Counts:
    """Tells what was counted since it last told; what could not be told is told the next time."""

    def __init__(self, link: Link, tallies: Tallies) -> None:
        self._link = link
        self._tallies = tallies
        self._told: dict[str, QueueCounts] = {}

    async def run(self) -> None:
        """Tell every few seconds, for as long as the worker lives."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self.tell()
            except psycopg.Error as error:
                log.debug("counts: not told (%s); they are told later", one_line(error))

    async def tell(self) -> None:
        """Tell now. Raises psycopg.Error."""
        self._tallies.count()
        counted = {one.queue: one for one in self._counted()}
        more = [
            difference
            for queue, now in counted.items()
            if (difference := _since(self._told.get(queue, NOTHING), now)) is not None
        ]
        if more:
            await self._link.run(metrics.count(more))
            self._told = counted

    async def tell_last(self) -> None:
        """Tell for the last time, if the database hears it."""
        with suppress(psycopg.Error):
            await self.tell()

    def _counted(self) -> list[QueueCounts]:
        return [self._of(label, queue) for label, queue in self._tallies.queues.items()]

    def _of(self, label: str, queue: QueueTally) -> QueueCounts:
        tasks = [task for task in self._tallies.tasks.values() if task.queue is queue]
        dead = sum(task.others[Kind.DEAD] for task in tasks)
        return QueueCounts(
            label,
            sum(task.completed for task in tasks),
            dead + sum(task.others[Kind.RETRIED] for task in tasks),
            dead,
            queue.first,
            queue.first_failures,
            sum(task.runs.seconds for task in tasks),
            tuple(queue.latencies.counts),
        )


def _since(before: QueueCounts, now: QueueCounts) -> QueueCounts | None:
    """Give what was counted in between, if anything was."""
    if (now.completed, now.failed) == (before.completed, before.failed):
        return None
    told = before.latencies or (0,) * len(now.latencies)
    return QueueCounts(
        now.queue,
        now.completed - before.completed,
        now.failed - before.failed,
        now.dead - before.dead,
        now.first_attempts - before.first_attempts,
        now.first_failures - before.first_failures,
        now.run_seconds - before.run_seconds,
        tuple(more - less for more, less in zip(now.latencies, told, strict=True)),
    )
