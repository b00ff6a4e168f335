"""JobQueue: an application's tasks, and where its database is."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

import psycopg

from jobqueue.client.schedules import declare
from jobqueue.client.task import Task
from jobqueue.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    SchemaMissing,
    TaskError,
    one_line,
)
from jobqueue.core.keys import Key, Unique
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.core.options import EnqueueOptions
from jobqueue.core.priority import Priority, to_priority
from jobqueue.core.retry import Retry
from jobqueue.core.schedules.definition import Definition, ScheduleOptions
from jobqueue.store.database import SCHEMA_MISSING, URL_VARIABLE, to_conninfo

MISSING = (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction)
"""What PostgreSQL says of our functions where there is no schema of ours."""

P = ParamSpec("P")
R = TypeVar("R")


class JobQueue:
    """An application's tasks. Nothing is opened when it is made.

    database_url: where `enqueue_now` and a worker connect; JOBQUEUE_DATABASE_URL if None.
    """

    def __init__(self, database_url: str | None = None) -> None:
        self._database_url = database_url
        self._tasks: dict[str, Task[..., Any]] = {}
        self._schedules: dict[str, Definition] = {}

    def __repr__(self) -> str:
        return f"<JobQueue tasks={sorted(self._tasks)}>"

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The registered tasks by name."""
        return MappingProxyType(self._tasks)

    @property
    def schedules(self) -> Mapping[str, Definition]:
        """The declared schedules by name."""
        return MappingProxyType(self._schedules)

    @property
    def database_url(self) -> str | None:
        """The database's URL, from the constructor or the environment, read when asked."""
        return self._database_url or os.environ.get(URL_VARIABLE)

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int | str = Priority.NORMAL,
        retry: Retry | None = None,
        idempotency_key: Key | None = None,
        unique: Unique | None = None,
        history: bool = True,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(
        self,
        function: Callable[P, R] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int | str = Priority.NORMAL,
        retry: Retry | None = None,
        idempotency_key: Key | None = None,
        unique: Unique | None = None,
        history: bool = True,
    ) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
        """Register a function as a task, bare or with options.

        name: what jobs are stored under; the function's own name if None. Keep it when the
            function is renamed, or jobs already enqueued find no task.
        queue, priority: where its jobs go, unless an enqueue says otherwise.
        retry: attempts and backoff; `Retry()` if None: 5 attempts after 1, 2, 4, 8 s and jitter.

        idempotency_key, unique: keys of its jobs, usually a function of the arguments; see `using`.
        history: False to keep nothing of its jobs once they have completed. That is faster, and
            suits jobs by the million that nobody asks about later. To repeat an enqueue safely such
            a task needs an idempotency_key: a `job_id` is forgotten with the job.

        An `async def` runs on the worker's event loop, a plain function in a thread.
        Raises TaskError for a name taken twice or a signature that JSON cannot carry, and
        ConfigurationError for an option out of range.
        """
        policy = Retry() if retry is None else retry
        if not isinstance(policy, Retry):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            raise ConfigurationError(
                f"retry {policy!r}: wrong type; give Retry(attempts=...) of jobqueue"
            )
        if not isinstance(history, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - the same
            raise ConfigurationError(f"history {history!r}: wrong type; give True or False")
        options = EnqueueOptions(
            queue=check_queue_name(queue),
            priority=to_priority(priority),
            max_attempts=policy.attempts,
        )
        if idempotency_key is not None:
            options = options.using({"idempotency_key": idempotency_key})
        if unique is not None:
            options = options.using({"unique": unique})

        def register(function: Callable[P, R]) -> Task[P, R]:
            task_name = check_task_name(name or getattr(function, "__name__", ""))
            if task_name in self._tasks:
                raise TaskError(
                    f"task {task_name!r}: registered twice; give one of them another name "
                    "with @jobs.task(name=...)"
                )
            task = Task(
                self, function, name=task_name, options=options, retry=policy, history=history
            )
            self._tasks[task_name] = task
            return task

        return register if function is None else register(function)

    @overload
    def schedule(
        self,
        what: str | None = None,
        /,
        *,
        name: str | None = None,
        args: Mapping[str, object] | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Callable[[Task[P, R] | Callable[P, R]], Task[P, R]]: ...

    @overload
    def schedule(
        self,
        what: Task[..., Any],
        cron: str | None = None,
        /,
        *,
        name: str | None = None,
        args: Mapping[str, object] | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> None: ...

    def schedule(
        self,
        what: Task[..., Any] | str | None = None,
        cron: str | None = None,
        /,
        *,
        name: str | None = None,
        args: Mapping[str, object] | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Any:
        """Declare a schedule: `@jobs.schedule("*/15 * * * *")` over a task, or `schedule(task, …)`.

        A worker puts it in place when it starts. A plain function under the decorator becomes a
        task with the default options. Queue, priority and attempts of its jobs are the task's, or
        those of `task.using(...)`.

        cron: a pattern of five fields, six with seconds last, or `@daily` and the like; or every=
            or at= instead.
        name: of the schedule, under which its state is kept; the task's if None.
        args: the arguments of its jobs, by name.
        options: see ScheduleOptions.
        Raises ConfigurationError for a rule that cannot be used or is never due, and for a name
        taken twice; ArgumentError for arguments that do not fit the task.
        """

        def add(task: Task[..., Any], pattern: str | None) -> None:
            definition = declare(task, pattern, name, args, options)
            if definition.name in self._schedules:
                raise ConfigurationError(
                    f"schedule {definition.name!r}: declared twice; give one of them another name "
                    "with name="
                )
            self._schedules[definition.name] = definition

        if isinstance(what, Task):
            return add(what, cron)
        pattern = what

        def decorate(function: Task[..., Any] | Callable[..., Any]) -> Task[..., Any]:
            task = (
                cast("Task[..., Any]", function)
                if isinstance(function, Task)
                else self.task(function)
            )
            add(task, pattern)
            return task

        return decorate

    @contextmanager
    def transaction(self) -> Generator[psycopg.Connection[Any]]:
        """Open a connection and a transaction on it, committed at the end of the block.

        Raises as `connect`, and SchemaMissing if the database has not been migrated.
        """
        with self.connect() as connection:
            try:
                yield connection
            except MISSING as error:
                raise SchemaMissing(SCHEMA_MISSING) from error

    @asynccontextmanager
    async def atransaction(self) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        """Open an asynchronous connection and a transaction on it; see `transaction`."""
        async with await self.aconnect() as connection:
            try:
                yield connection
            except MISSING as error:
                raise SchemaMissing(SCHEMA_MISSING) from error

    def connect(self) -> psycopg.Connection[Any]:
        """Open a psycopg connection to the queue's database.

        Raises DatabaseUrlError or DatabaseUnavailable.
        """
        try:
            return psycopg.connect(to_conninfo(self.database_url))
        except psycopg.OperationalError as error:
            raise _unavailable(error) from error

    async def aconnect(self) -> psycopg.AsyncConnection[Any]:
        """Open a psycopg async connection to the queue's database; see `connect`."""
        try:
            return await psycopg.AsyncConnection.connect(to_conninfo(self.database_url))
        except psycopg.OperationalError as error:
            raise _unavailable(error) from error


def _unavailable(error: psycopg.OperationalError) -> DatabaseUnavailable:
    reason = one_line(error)
    return DatabaseUnavailable(
        f"database: no connection ({reason}); check that the server runs and the URL names it"
    )
