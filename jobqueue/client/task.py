"""A task: a registered function that is still an ordinary one, and the ways to enqueue it."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar, Unpack

from pydantic_core import from_json

from jobqueue.client import bulk, connections
from jobqueue.client.around_enqueue import around_many, around_one
from jobqueue.client.batches import items_of
from jobqueue.client.hooks import Hooks
from jobqueue.client.ids import new_id
from jobqueue.client.remedies import ask, ask_async
from jobqueue.core.arguments import Signature
from jobqueue.core.batch import Batch
from jobqueue.core.errors import TaskError
from jobqueue.core.limits import Flow, FlowKeys
from jobqueue.core.options import NO_KEYS, EnqueueOptions, UsingOptions
from jobqueue.core.pools import Pool, check_batch_pool, choose_pool
from jobqueue.core.retry import Retry
from jobqueue.store import gates, workers
from jobqueue.store import jobs as statements
from jobqueue.store.jobs import Enqueued
from jobqueue.store.statement import Statement

if TYPE_CHECKING:
    from jobqueue.client.queue import JobQueue

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """A registered function. Call it as the function it is, or enqueue it.

    Made by `@jobs.task`. Every `enqueue` takes the connection first, by position; the job exists
    if and only if that connection's transaction commits. A connection in autocommit mode commits
    each enqueue by itself.

    pool: where a worker runs it. timeout: how long an attempt may take, in seconds, unless a job
    says otherwise; None: for ever. expires: how long its jobs may wait once they are due, unless
    they say otherwise. returns: whether what it returns is kept. batch: how its jobs are taken
    together, and make_item what makes an item of one's arguments. hooks: its JobQueue's.
    """

    def __init__(
        self,
        queue: JobQueue,
        function: Callable[P, R],
        *,
        name: str,
        options: EnqueueOptions,
        retry: Retry,
        history: bool = True,
        pool: Pool | None = None,
        timeout: float | None = None,
        returns: bool = False,
        batch: Batch | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.name = name
        self.function = function
        self.options = options
        self.retry = retry
        self.history = history
        self.batch = batch
        items = None if batch is None else items_of(name, function)
        self.signature = Signature(name, function) if items is None else items.signature
        self.make_item = None if items is None else items.make
        self.flow = options.flow
        """the limits that its jobs are under, unless an enqueue says otherwise"""
        if self.flow is not None:
            _check_keys(name, self.flow, self.signature)
        self.is_async = inspect.iscoroutinefunction(function)
        self.pool: Pool = choose_pool(pool, task=name, is_coroutine=self.is_async)
        check_batch_pool(self.pool, task=name, batch=batch)
        self.timeout = timeout
        self.expires = options.expires_seconds
        self.returns = returns
        self.hooks: Hooks = queue.hooks
        self._queue = queue
        if self.is_async and sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without a queue or a database."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name!r} queue={self.options.queue!r}>"

    def using(self, **options: Unpack[UsingOptions]) -> Task[P, R]:
        """Give this task with other options for what is enqueued through it.

        queue, priority, attempts, delay, run_at, job_id, idempotency_key,
        idempotency_retention, unique, timeout, expires_in, expires_at, concurrency_key, weight: see
        UsingOptions.
        Raises ConfigurationError for an unknown option or a value out of range.
        """
        other = copy.copy(self)
        other.options = self.options.using(options)
        return other

    def enqueue(self, connection: object, /, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue one job in the transaction of `connection`.

        Raises ArgumentError if the arguments do not fit, before anything is sent, and
        UnsupportedConnection if there is none, or it is not a synchronous one of a known kind.
        """
        execute = connections.adapted(connection).execute
        values = self.signature.bind(args, kwargs)
        statement = self.statement(values)
        if self.hooks.enqueues:
            with around_one(self, values, statement) as around:
                return around.gives(ask(execute, statement)[0])
        return ask(execute, statement)[0]

    async def aenqueue(self, connection: object, /, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue one job in the transaction of an asynchronous `connection`; see `enqueue`."""
        execute = connections.adapted_async(connection).execute
        values = self.signature.bind(args, kwargs)
        statement = self.statement(values)
        if self.hooks.enqueues:
            with around_one(self, values, statement) as around:
                return around.gives((await ask_async(execute, statement))[0])
        return (await ask_async(execute, statement))[0]

    # To a type checker the connection has to be there. Where it is forgotten all the same, Python's
    # own error would name no remedy: that of the adapters does, for None.
    enqueue.__defaults__ = aenqueue.__defaults__ = (None,)

    def enqueue_many(self, connection: object, items: bulk.Items, /) -> list[Enqueued]:
        """Enqueue one job for each mapping of arguments, in order, in one transaction.

        Ten thousand travel in one statement. Raises ArgumentError, with the `row` from 0, for the
        first item that does not fit; roll back then, since those before it may have been sent. A
        connection in autocommit mode commits each ten thousand by themselves.
        """
        execute = connections.adapted(connection).execute
        enqueued: list[Enqueued] = []
        with around_many(self, items) as around:
            for statement in bulk.chunks(self, items):
                enqueued += ask(execute, statement)
            return around.gives(enqueued)

    def enqueue_bulk(self, connection: object, items: bulk.Items, /) -> int:
        """Enqueue tens of thousands of jobs, from any iterable, and give how many were inserted.

        By COPY, in the transaction of `connection`: nothing is held in memory. Where COPY cannot
        serve (keys, a timeout, a deadline, a role that may only enqueue, drivers without it)
        statements of thousands do.
        Raises ArgumentError, with the `row` from 0, for the first item that does not fit. After
        COPY none of them is there and the transaction stays usable; otherwise roll back.
        """
        bulk.check_many(self, items)
        used = connections.adapted(connection)
        with around_many(self, items) as around:
            return around.gives(self._bulk(used, items))

    def _bulk(self, used: connections.Adapted, items: bulk.Items) -> int:
        if used.copy is not None and self.options.loadable:
            [common] = ask(used.execute, statements.copy_prepare(self.name, self.options))
            if common.allowed:
                loads = bulk.CopyLoads(self, items, common)
                used.copy(loads)
                ask(used.execute, workers.wake([common.queue]))
                return loads.rows
        return sum(bulk.inserted(ask(used.execute, one)) for one in bulk.chunks(self, items))

    async def aenqueue_bulk(self, connection: object, items: bulk.Items, /) -> int:
        """Enqueue tens of thousands through an asynchronous `connection`; see `enqueue_bulk`."""
        bulk.check_many(self, items)
        used = connections.adapted_async(connection)
        with around_many(self, items) as around:
            return around.gives(await self._abulk(used, items))

    async def _abulk(self, used: connections.AdaptedAsync, items: bulk.Items) -> int:
        if used.copy is not None and self.options.loadable:
            statement = statements.copy_prepare(self.name, self.options)
            [common] = await ask_async(used.execute, statement)
            if common.allowed:
                loads = bulk.CopyLoads(self, items, common)
                await used.copy(loads)
                await ask_async(used.execute, workers.wake([common.queue]))
                return loads.rows
        count = 0
        for one in bulk.chunks(self, items):
            count += bulk.inserted(await ask_async(used.execute, one))
        return count

    async def aenqueue_many(self, connection: object, items: bulk.Items, /) -> list[Enqueued]:
        """Enqueue many through an asynchronous `connection`; see `enqueue_many`."""
        execute = connections.adapted_async(connection).execute
        enqueued: list[Enqueued] = []
        with around_many(self, items) as around:
            for statement in bulk.chunks(self, items):
                enqueued += await ask_async(execute, statement)
            return around.gives(enqueued)

    def enqueue_now(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue one job in a transaction of its own, over a connection made for it."""
        with self._queue.transaction() as connection:
            return self.enqueue(connection, *args, **kwargs)

    async def aenqueue_now(self, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue one job in a transaction of its own; see `enqueue_now`."""
        async with self._queue.atransaction() as connection:
            return await self.aenqueue(connection, *args, **kwargs)

    def flow_keys(self, encoded: str) -> FlowKeys:
        """Give the keys of a job under the task's limits. encoded: its arguments as JSON."""
        flow, own = self.options.flow, self.options.concurrency_key
        assert flow is not None  # noqa: S101 - asked for jobs under limits only
        values = self.signature.with_defaults(from_json(encoded)) if flow.keyed else {}
        concurrency, rate = flow.keys(values)
        return concurrency if own is None else own, rate

    def statement(self, values: Mapping[str, object]) -> Statement[Enqueued]:
        """Give the statement that enqueues one job with `values`, by parameter name.

        Raises ArgumentError if they do not fit the task's signature.
        """
        encoded = self.signature.encode(values)
        if self.options.plain:
            return statements.insert(self.name, encoded, self.options, new_id())
        keys = self.options.keys(self.signature.checked(values)) if self.options.keyed else NO_KEYS
        if self.options.flow is not None:
            its_keys = [self.flow_keys(encoded)]
            return gates.enqueue(self.name, f"[{encoded}]", self.options, [keys], its_keys)
        return statements.enqueue(self.name, encoded, self.options, keys)


def _check_keys(task: str, flow: Flow, signature: Signature) -> None:
    """Return if the keys of a task's limits are of its arguments. Raises TaskError."""
    for argument in (flow.concurrency_argument, flow.rate_argument):
        if argument is not None and argument not in signature.shape.parameters:
            known = ", ".join(signature.shape.parameters) or "none"
            raise TaskError(
                f"task {task!r}: key {argument!r} of its limit is not among its arguments ({known})"
            )
