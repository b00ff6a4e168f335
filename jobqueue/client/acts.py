"""What is done with jobs that are enqueued: cancel, wait, pause, ask why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from jobqueue.client import connections
from jobqueue.client.remedies import ask, ask_async
from jobqueue.client.task import Task
from jobqueue.client.waiting import Job, Wait, id_of, result_of
from jobqueue.core.duration import Duration
from jobqueue.core.errors import ConfigurationError, JobUnknown
from jobqueue.core.limits import Concurrency, RateLimit, check_limit_name, key_of
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.core.states import Cancellation, State
from jobqueue.core.why import Facts, Reason, why
from jobqueue.store import jobs as statements
from jobqueue.store import pauses
from jobqueue.store.pauses import Pausable

WAIT_SECONDS = 30.0
"""How long a job is waited for at most, where nothing else is said."""


class Acts(ABC):
    """The part of a JobQueue that acts on jobs through a connection of the application's."""

    @property
    @abstractmethod
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The registered tasks by name."""

    def cancel(self, connection: object, job: Job, /) -> Cancellation:
        """Cancel a job, in the transaction of `connection`, and say whether that was in time.

        One that waits is cancelled at once. One that runs is asked to stop, as soon as the
        transaction commits, and ends as cancelled unless it completes first.
        job: what its enqueue gave, or its id.
        """
        execute = connections.adapted(connection).execute
        return Cancellation(ask(execute, statements.cancel(id_of(job)))[0])

    async def acancel(self, connection: object, job: Job, /) -> Cancellation:
        """Cancel a job through an asynchronous `connection`; see `cancel`."""
        execute = connections.adapted_async(connection).execute
        return Cancellation((await ask_async(execute, statements.cancel(id_of(job))))[0])

    def wait_for(
        self, connection: object, job: Job, /, *, timeout: Duration = WAIT_SECONDS
    ) -> State:
        """Wait until a job has ended, and give its state: completed, cancelled or dead.

        Looks again and again, after pauses that grow to half a second. The job must be committed,
        and `connection` best be in autocommit mode, or its transaction stays open meanwhile.
        Raises NotDone when the timeout is over, and JobUnknown.
        """
        wait = Wait(job, timeout)
        return State(wait.run(connections.adapted(connection).execute).state)

    async def await_for(
        self,
        connection: object,
        job: Job,
        /,
        *,
        timeout: Duration = WAIT_SECONDS,  # noqa: ASYNC109 - as wait_for
    ) -> State:
        """Wait for a job through an asynchronous `connection`; see `wait_for`."""
        wait = Wait(job, timeout)
        return State((await wait.run_async(connections.adapted_async(connection).execute)).state)

    def result(self, connection: object, job: Job, /, *, timeout: Duration = WAIT_SECONDS) -> Any:  # noqa: ANN401 - whatever the task returned
        """Wait until a job has ended, as `wait_for` does, and give what it returned.

        As JSON has it: a tuple comes back as a list, a moment as text. timeout: 0 to look once.
        Raises NotDone, JobUnknown, JobDead, JobCancelled, or NoResult if its task is not declared
        with `returns=True`.
        """
        wait = Wait(job, timeout, keeps_result=self._keeps_result)
        return result_of(wait.job_id, wait.run(connections.adapted(connection).execute))

    async def aresult(
        self,
        connection: object,
        job: Job,
        /,
        *,
        timeout: Duration = WAIT_SECONDS,  # noqa: ASYNC109 - as result
    ) -> Any:  # noqa: ANN401 - whatever the task returned
        """Wait for what a job returned through an asynchronous `connection`; see `result`."""
        wait = Wait(job, timeout, keeps_result=self._keeps_result)
        standing = await wait.run_async(connections.adapted_async(connection).execute)
        return result_of(wait.job_id, standing)

    def why(self, connection: object, job: Job, /) -> list[Reason]:
        """Say why a job is not running: reasons with a code for programs and a text for people.

        job: what its enqueue gave, or its id. Cheap: jobs ahead of it are counted up to 10,000.
        Raises JobUnknown.
        """
        execute = connections.adapted(connection).execute
        job_id = id_of(job)
        return _reasons(job_id, ask(execute, statements.why(job_id)))

    async def awhy(self, connection: object, job: Job, /) -> list[Reason]:
        """Say why a job is not running through an asynchronous `connection`; see `why`."""
        execute = connections.adapted_async(connection).execute
        job_id = id_of(job)
        return _reasons(job_id, await ask_async(execute, statements.why(job_id)))

    def pause(
        self,
        connection: object,
        /,
        *,
        queue: str | None = None,
        task: str | Task[..., Any] | None = None,
        limit: str | Concurrency | RateLimit | None = None,
        key: object = None,
        reason: str | None = None,
    ) -> bool:
        """Begin no more jobs of a queue, a task or a key; give whether it was not paused before.

        From the commit on, workers begin none within a second; what runs may finish, and what is
        enqueued waits. limit, key: the name of a limit, and a value of its key argument (`''` for
        the jobs of a limit that has none). reason: for people, shown where the pause is.
        Raises ConfigurationError unless one of the three is given, and a name.
        """
        execute = connections.adapted(connection).execute
        return ask(execute, pauses.pause(_one(queue, task, limit, key), _checked(reason)))[0]

    async def apause(
        self,
        connection: object,
        /,
        *,
        queue: str | None = None,
        task: str | Task[..., Any] | None = None,
        limit: str | Concurrency | RateLimit | None = None,
        key: object = None,
        reason: str | None = None,
    ) -> bool:
        """Pause through an asynchronous `connection`; see `pause`."""
        execute = connections.adapted_async(connection).execute
        return (
            await ask_async(execute, pauses.pause(_one(queue, task, limit, key), _checked(reason)))
        )[0]

    def resume(
        self,
        connection: object,
        /,
        *,
        queue: str | None = None,
        task: str | Task[..., Any] | None = None,
        limit: str | Concurrency | RateLimit | None = None,
        key: object = None,
    ) -> bool:
        """Let jobs of a queue, of a task or of a key begin again; give whether it was paused.

        Raises ConfigurationError unless one of the three is given, and a name.
        """
        execute = connections.adapted(connection).execute
        return ask(execute, pauses.resume(_one(queue, task, limit, key)))[0]

    async def aresume(
        self,
        connection: object,
        /,
        *,
        queue: str | None = None,
        task: str | Task[..., Any] | None = None,
        limit: str | Concurrency | RateLimit | None = None,
        key: object = None,
    ) -> bool:
        """Resume through an asynchronous `connection`; see `resume`."""
        execute = connections.adapted_async(connection).execute
        return (await ask_async(execute, pauses.resume(_one(queue, task, limit, key))))[0]

    def _keeps_result(self, task: str) -> bool:
        """Whether a task keeps results, for all that is known here."""
        known = self.tasks.get(task)
        return known is None or known.returns


LONGEST_REASON = 500


def _reasons(job_id: UUID, found: list[Facts]) -> list[Reason]:
    if not found:
        raise JobUnknown(f"job {job_id}: unknown; it never was, or nothing was kept of it", job_id)
    return why(found[0])


def _checked(reason: str | None) -> str | None:
    if reason is not None and not 1 <= len(reason) <= LONGEST_REASON:
        raise ConfigurationError(
            f"reason {reason[:40]!r}: not 1 to {LONGEST_REASON} characters; say it shorter, or not"
        )
    return reason


def _one(
    queue: str | None,
    task: str | Task[..., Any] | None,
    limit: str | Concurrency | RateLimit | None,
    key: object,
) -> Pausable:
    """Give what is meant, which must be one thing."""
    if sum(one is not None for one in (queue, task, limit)) != 1:
        raise ConfigurationError(
            "queue, task, and limit with key: give one of them, to be paused or resumed"
        )
    if (limit is None) != (key is None):
        raise ConfigurationError("limit and key: give both, or another thing to pause or resume")
    if queue is not None:
        return Pausable(queue=check_queue_name(queue))
    if task is not None:
        return Pausable(task=check_task_name(task.name if isinstance(task, Task) else task))
    name = limit if isinstance(limit, str) or limit is None else limit.name
    if name is None:
        raise ConfigurationError(f"limit {limit!r}: has no name of its own; give its task's name")
    return Pausable(limit_name=check_limit_name(name), key=key_of(key))
