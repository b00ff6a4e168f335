"""Running an application's hooks around its attempts, where the task runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from jobqueue.client.context import Attempt, current_job
from jobqueue.client.queue import JobQueue
from jobqueue.client.task import Task
from jobqueue.core.around import Hook, Step, adrive, around, drive
from jobqueue.core.errors import AlreadyProcessed, ConfigurationError, LeaseLost
from jobqueue.core.hiding import secret_texts
from jobqueue.core.outcome import Cancel, Snooze, describe, named
from jobqueue.core.retry import Retry

log = logging.getLogger("jobqueue.worker")

Stopping = Callable[[], bool]
"""Whether an attempt is to stop, where the attempt itself may not know it yet."""

_left_to_the_parent: list[object] = []


def run_plain(task: Task[..., Any], attempt: Attempt, stopping: Stopping | None = None) -> Any:  # noqa: ANN401 - whatever the task returns
    """Run a plain task within the hooks that are plain; give what it returns.

    Raises what the task raises, or what a hook decided instead of running it.
    """

    def call() -> Any:  # noqa: ANN401
        args, kwargs = task.signature.decode(attempt.job.args)
        return task.function(*args, **kwargs)

    rules = _Rules(task, attempt, stopping)
    return drive(around(task.hooks.plain_attempts, current_job(), Step(call), rules))


async def run_coroutine(
    task: Task[..., Any], attempt: Attempt, stopping: Stopping | None = None
) -> Any:  # noqa: ANN401 - whatever the task returns
    """Run an async task within all hooks; as `run_plain`."""

    async def call() -> Any:  # noqa: ANN401
        args, kwargs = task.signature.decode(attempt.job.args)
        return await task.function(*args, **kwargs)

    rules = _Rules(task, attempt, stopping)
    body = Step(call, awaits=True)
    return await adrive(around(task.hooks.attempts, current_job(), body, rules))


def tell_of_hooks(jobs: JobQueue) -> None:
    """Say which tasks the hooks leave out, if there are any."""
    batches = sorted(task.name for task in jobs.tasks.values() if task.batch is not None)
    if jobs.hooks.attempts and batches:
        log.info("around_attempt: hooks run around no batches: %s", ", ".join(batches))
    plain = sorted(task.name for task in jobs.tasks.values() if not task.is_async)
    for hook in jobs.hooks.attempts:
        if hook.is_async and plain:
            log.info(
                "around_attempt %r: is async, so it runs around async tasks only, not around %s",
                *(hook.name, ", ".join(plain)),
            )


class _Rules:
    """A hook may keep the task from running; once that has run, its outcome stands."""

    def __init__(self, task: Task[..., Any], attempt: Attempt, stopping: Stopping | None) -> None:
        self._task = task
        self._attempt = attempt
        self._stopping = stopping
        self._process = os.getpid()

    def decides(self, error: BaseException, *, before: bool) -> bool:
        if not before:
            return False
        if isinstance(error, Snooze | Cancel | Retry | AlreadyProcessed | LeaseLost):
            return True
        attempt = self._attempt
        if attempt.overruled is not None:
            return True
        stopping = attempt.stopped is not None or (self._stopping is not None and self._stopping())
        return stopping and not isinstance(error, Exception)

    def forbids(self) -> Exception | None:
        """Refuse a transaction around the task: were it not to commit, nothing could fail."""
        if not self._attempt.in_transaction:
            return None
        return ConfigurationError(
            f"job {self._attempt.job.id}: its transaction() is open at a hook's yield; open it in "
            "the task, whose failure it can be"
        )

    def abandons(self, begun: Sequence[object]) -> bool:
        """In a process that the task forked, what comes after is left to its parent."""
        if os.getpid() == self._process:
            return False
        _left_to_the_parent.append(begun)  # dropped, the hooks would end here
        return True

    def tell(self, hook: Hook, mistake: str, error: BaseException | None) -> None:
        job = self._attempt.job
        secrets = secret_texts(job.args, self._task.signature.secrets)
        said = "" if error is None else f" {named(error, secrets)}"
        trace = "" if error is None else f"\n{describe(error, secrets)['traceback']}".rstrip()
        log.error(
            "around_attempt %r, job %s %s: %s%s; the job is as it would be without it%s",
            *(hook.name, job.task, job.id, mistake, said, trace),
        )
