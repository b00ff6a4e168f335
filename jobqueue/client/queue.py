"""JobQueue: an application's tasks, and where its database is."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

import psycopg

from jobqueue.client.acts import Acts
from jobqueue.client.alerting import Alerting
from jobqueue.client.declared_limits import Declared, Limits
from jobqueue.client.hooks import AroundAttempt, AroundEnqueue, Hooks, Lifespan
from jobqueue.client.policies import Policies
from jobqueue.client.schedules import declare, enter
from jobqueue.client.task import Task
from jobqueue.client.taskable import check_taskable
from jobqueue.core.batch import Batch
from jobqueue.core.duration import Duration, to_timeout_seconds
from jobqueue.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    SchemaMissing,
    TaskError,
    one_line,
)
from jobqueue.core.keys import Key, Unique
from jobqueue.core.limits import Concurrency, RateLimit
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.core.pools import Pool
from jobqueue.core.priority import Priority, to_priority
from jobqueue.core.retry import Retry
from jobqueue.core.schedules.definition import Definition, ScheduleOptions
from jobqueue.store.database import SCHEMA_MISSING, URL_VARIABLE, to_conninfo

MISSING = (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction)
"""What PostgreSQL says of our functions where there is no schema of ours."""

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=AroundEnqueue)
A = TypeVar("A", bound=AroundAttempt)
L = TypeVar("L", bound=Lifespan)


class JobQueue(Acts, Policies, Alerting):
    """An application's tasks. Nothing is opened when it is made.

    database_url: where `enqueue_now` and a worker connect; JOBQUEUE_DATABASE_URL if None.
    hooks: what is registered around enqueues and attempts, and for workers.
    """

    def __init__(self, database_url: str | None = None) -> None:
        self._database_url = database_url
        self._tasks: dict[str, Task[..., Any]] = {}
        self._schedules: dict[str, Definition] = {}
        self._limits = Limits()
        self.hooks = Hooks()

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
    def limits(self) -> Mapping[str, Declared]:
        """The declared limits by name; None: named, and set elsewhere."""
        return MappingProxyType(self._limits.declared)

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
        pool: Pool | None = None,
        timeout: Duration | str | None = None,
        returns: bool = False,
        concurrency: Concurrency | None = None,
        rate_limit: RateLimit | str | None = None,
        weight: int | None = None,
        expires_in: Duration | str | None = None,
        batch: None = None,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    @overload
    def task(
        self,
        /,
        *,
        batch: Batch,
        name: str | None = None,
        queue: str = "default",
        priority: int | str = Priority.NORMAL,
        retry: Retry | None = None,
        idempotency_key: Key | None = None,
        unique: Unique | None = None,
        history: bool = True,
        pool: Pool | None = None,
        timeout: Duration | str | None = None,
        returns: bool = False,
        expires_in: Duration | str | None = None,
        concurrency: Concurrency | None = None,
    ) -> Callable[[Callable[[list[Any]], R]], Task[..., R]]: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int | str = Priority.NORMAL,
        retry: Retry | None = None,
        idempotency_key: Key | None = None,
        unique: Unique | None = None,
        history: bool = True,
        pool: Pool | None = None,
        timeout: Duration | str | None = None,
        returns: bool = False,
        concurrency: Concurrency | None = None,
        rate_limit: RateLimit | str | None = None,
        weight: int | None = None,
        expires_in: Duration | str | None = None,
        batch: Batch | None = None,
        **unknown: object,
    ) -> Any:
        """Register a function as a task, bare or with options.

        name: what jobs are stored under; the function's own name if None. Keep it when the
            function is renamed, or jobs already enqueued find no task.
        queue, priority: where its jobs go, unless an enqueue says otherwise.
        retry: attempts and backoff; `Retry()` if None: 5 attempts after 1, 2, 4, 8 s and jitter.

        idempotency_key, unique: keys of its jobs, usually a function of the arguments; see `using`.
        history: False to keep nothing of its jobs once they have completed. That is faster, and
            suits jobs by the million that nobody asks about later. To repeat an enqueue safely such
            a task needs an idempotency_key: a `job_id` is forgotten with the job.

        pool: where a worker runs it: `async`, its event loop; `thread`; or `process`, a child
            that can be killed. By itself an `async def` goes to `async`, a plain function to
            `thread`.
        timeout: how long an attempt may take: a timedelta, seconds, or text like `30s`. An attempt
            that takes longer has failed, with TimedOut; None: no limit.
        returns: True to keep what it returns with the job in the history; see `result`.
        expires_in: not started this long after it was due, a job of it ends as cancelled.
        batch: to have the function called with a list of items, each the arguments of one job; see
            Batch. It returns nothing when all are done, or one outcome for each: its result, or an
            exception. What it raises is the failure of all.
        concurrency: how many of its jobs run at once across the fleet, by key if wanted.
        rate_limit: how many of its jobs start in a while, with those of all tasks under that name;
            a name alone is of a limit that is set elsewhere. weight: for how many a job counts.

        Raises TaskError for a name taken twice, a method or a signature that JSON cannot carry, and
        ConfigurationError for an option out of range.
        """
        if unknown:
            raise _unknown_option(min(unknown))
        policy = Retry() if retry is None else retry
        if not isinstance(policy, Retry):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            raise ConfigurationError(
                f"retry {policy!r}: wrong type; give Retry(attempts=...) of jobqueue"
            )
        for option, flag in (("history", history), ("returns", returns)):
            if not isinstance(flag, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - the same
                raise ConfigurationError(f"{option} {flag!r}: wrong type; give True or False")
        if returns and not history:
            raise ConfigurationError(
                "returns=True and history=False: results are kept in the history; drop one of them"
            )
        _check_batch(batch, rate_limit)
        timeout_seconds = None if timeout is None else to_timeout_seconds(timeout)
        options = EnqueueOptions(
            queue=check_queue_name(queue),
            priority=to_priority(priority),
            max_attempts=policy.attempts,
        )
        more = {"idempotency_key": idempotency_key, "unique": unique, "expires_in": expires_in}
        given = {name: value for name, value in more.items() if value is not None}
        options = options.using(cast("UsingOptions", given))

        def register(function: Callable[..., Any]) -> Task[..., Any]:
            task_name = name or getattr(function, "__name__", "")
            check_taskable(task_name, function)
            check_task_name(task_name)
            if task_name in self._tasks:
                raise TaskError(
                    f"task {task_name!r}: registered twice; give one of them another name "
                    "with @jobs.task(name=...)"
                )
            task = Task(
                self,
                function,
                name=task_name,
                options=replace(
                    options, flow=self._limits.flow(task_name, concurrency, rate_limit, weight)
                ),
                retry=policy,
                history=history,
                pool=pool,
                timeout=timeout_seconds,
                returns=returns,
                batch=batch,
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
        name: under which its state is kept; the task's if None. args: of its jobs, by name.
        options: see ScheduleOptions.
        Raises ConfigurationError for a rule that cannot be used, ArgumentError for such arguments.
        """

        def add(task: Task[..., Any] | Callable[..., Any], pattern: str | None) -> Task[..., Any]:
            it = cast("Task[..., Any]", task) if isinstance(task, Task) else self.task(task)
            enter(self._schedules, declare(it, pattern, name, args, options))
            return it

        if isinstance(what, Task):
            add(what, cron)
            return None
        return partial(add, pattern=what)

    def around_enqueue(self, hook: E) -> E:
        """Register a generator function that runs around every enqueue of a task.

        It gets an Enqueuing and yields once; `yield` gives what the call returns, or raises what
        it raises. It looks on: nothing it does changes the jobs, and its errors are only logged.
        Those registered first are outermost. Raises ConfigurationError if it cannot be one.
        """
        self.hooks.add_around_enqueue(hook)
        return hook

    def around_attempt(self, hook: A) -> A:
        """Register a generator function that runs around every attempt, where the task runs.

        It gets the CurrentJob and yields once; `yield` gives what the task returned, or raises what
        it raised. Before that it may raise Snooze, Cancel or Retry instead of running the task; all
        other errors of its own are only logged. A plain generator runs around all tasks, an async
        one around async tasks only. Those registered first are outermost. Raises ConfigurationError
        if it cannot be one.
        """
        self.hooks.add_around_attempt(hook)
        return hook

    def lifespan(self, hook: L) -> L:
        """Register a generator function, plain or async, that opens resources for each worker.

        It takes nothing and yields once, a mapping of resources by name: `current_job().resources`
        of every job. It is opened before the first job in each worker process and each child
        process, and goes on after the last; the last registered first. A worker that cannot open it
        does not start. Raises ConfigurationError if it cannot be one.
        """
        self.hooks.add_lifespan(hook)
        return hook

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


def _unknown_option(name: str) -> TypeError:
    parameters = inspect.signature(JobQueue.task).parameters.values()
    known = ", ".join(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)
    return TypeError(f"@jobs.task: option {name!r}: unknown; use one of {known}")


def _check_batch(batch: object, rate_limit: RateLimit | str | None) -> None:
    if batch is not None and rate_limit is not None:
        raise ConfigurationError(
            "batch and rate_limit: both given; the jobs of a batch start together, and so not each "
            "at its moment: limit their concurrency, or leave out one of them"
        )
    if batch is not None and not isinstance(batch, Batch):
        raise ConfigurationError(
            f"batch {batch!r}: wrong type; give Batch(size=..., wait=...) of jobqueue"
        )


def _unavailable(error: psycopg.OperationalError) -> DatabaseUnavailable:
    reason = one_line(error)
    return DatabaseUnavailable(
        f"database: no connection ({reason}); check that the server runs and the URL names it"
    )
