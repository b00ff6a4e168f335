"""Waiting for one job to end, and reading what it returned."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from jobqueue.client.remedies import ask, ask_async
from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import (
    ConfigurationError,
    JobCancelled,
    JobDead,
    JobUnknown,
    NoResult,
    NotDone,
)
from jobqueue.core.states import State
from jobqueue.store import jobs as statements
from jobqueue.store.jobs import Enqueued, Standing
from jobqueue.store.statement import Execute, ExecuteAsync

FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.5
GROWTH = 1.5
# A job that completes in a transaction of its own returns after that; its result follows at once.
RESULT_FOLLOWS_SECONDS = 5.0

Job = Enqueued | UUID | str
"""A job by what its enqueue gave, or by its id."""


def id_of(job: Job) -> UUID:
    """Give a job's id. Raises ConfigurationError if it is none."""
    if isinstance(job, Enqueued):
        return job.id
    if isinstance(job, UUID):
        return job
    try:
        return UUID(job)
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(
            f"job {job!r}: not a job; give what enqueue gave, or its id"
        ) from None


class Wait:
    """Looks at one job, with growing pauses, until it has ended or the time is over.

    keeps_result: says of a task's name whether it keeps results, if a result is waited for.
    """

    def __init__(
        self, job: Job, timeout: Duration, *, keeps_result: Callable[[str], bool] | None = None
    ) -> None:
        self.job_id = id_of(job)
        self._seconds = to_seconds(timeout, subject="timeout")
        self._deadline = time.monotonic() + self._seconds
        self._pause = FIRST_PAUSE_SECONDS
        self._keeps_result = keeps_result

    def run(self, execute: Execute) -> Standing:
        """Wait here. Raises JobUnknown, NotDone, NoResult or ConfigurationError."""
        while True:
            ended = self._judge(ask(execute, statements.standing(self.job_id)))
            if ended is not None:
                return ended
            time.sleep(self._next_pause())

    async def run_async(self, execute: ExecuteAsync) -> Standing:
        """Wait on the event loop; see `run`."""
        while True:
            ended = self._judge(await ask_async(execute, statements.standing(self.job_id)))
            if ended is not None:
                return ended
            await asyncio.sleep(self._next_pause())

    def _judge(self, found: Sequence[Standing]) -> Standing | None:
        """Give how the job stands if there is nothing to wait for any more."""
        if not found:
            raise JobUnknown(
                f"job {self.job_id}: unknown; it is not committed yet, its task keeps no history, "
                "or its history was dropped",
                self.job_id,
            )
        [standing] = found
        if self._keeps_result and not self._keeps_result(standing.task):
            raise no_result(self.job_id, standing.task)
        if State(standing.state).ended and not self._result_follows(standing):
            return standing
        if time.monotonic() >= self._deadline:
            raise NotDone(
                f"job {self.job_id}: {standing.state} after {self._seconds:g} s of waiting; wait "
                "longer, or look whether a worker serves its queue and whether this transaction "
                "is the one that enqueued it, which has to commit first",
                self.job_id,
            )
        if not standing.sees_commits:
            raise ConfigurationError(
                f"job {self.job_id}: its end cannot be seen in this transaction, which sees the "
                "database as it was when it began; wait in one that is read committed"
            )
        return None

    def _result_follows(self, standing: Standing) -> bool:
        return (
            self._keeps_result is not None
            and standing.state == State.COMPLETED
            and standing.result is None
            and (standing.ended_seconds or 0.0) < RESULT_FOLLOWS_SECONDS
        )

    def _next_pause(self) -> float:
        pause = min(self._pause, max(0.0, self._deadline - time.monotonic()))
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE_SECONDS)
        return pause


def result_of(job_id: UUID, standing: Standing) -> Any:  # noqa: ANN401 - whatever the task returned
    """Give what a job that has ended returned, as JSON has it.

    Raises JobDead, JobCancelled or NoResult.
    """
    if standing.state == State.DEAD:
        raise JobDead(
            f"job {job_id}: dead, out of attempts; the last failed with "
            f"{standing.error}: {standing.message}",
            job_id,
        )
    if standing.state == State.CANCELLED:
        raise JobCancelled(f"job {job_id}: cancelled; it will never return anything", job_id)
    if standing.result is None:
        raise no_result(job_id, standing.task)
    return json.loads(standing.result)


def no_result(job_id: UUID, task: str) -> NoResult:
    """Say that nothing is there to be read."""
    return NoResult(
        f"job {job_id}: no result is kept of task {task!r}; declare it with "
        "@jobs.task(returns=True), or wait for the job's end with wait_for",
        job_id,
    )
