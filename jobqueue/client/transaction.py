"""A transaction in which a job's effects and its completion commit together."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    contextmanager,
)
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import psycopg

from jobqueue.client import connections
from jobqueue.core.errors import AlreadyProcessed, ConfigurationError, LeaseLost
from jobqueue.store import processed
from jobqueue.store.jobs import Claimed
from jobqueue.store.statement import Execute, ExecuteAsync, run, run_async

if TYPE_CHECKING:
    from jobqueue.client.context import Attempt

Sync_co = TypeVar("Sync_co", covariant=True)
Async_co = TypeVar("Async_co", covariant=True)


class Pools(Protocol):
    """Where a worker's jobs get connections of the worker's own."""

    def connection(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Lend a connection that is in a transaction, and commit or roll back at the end."""
        ...

    def aconnection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """Lend an asynchronous connection; as `connection`."""
        ...


class JobTransaction(Generic[Sync_co, Async_co]):
    """Made by `current_job().transaction()`; a context manager, and an asynchronous one."""

    def __init__(self, attempt: Attempt, using: Any = None) -> None:  # noqa: ANN401 - several kinds
        self._attempt = attempt
        self._using = using
        self._stack = ExitStack()
        self._astack = AsyncExitStack()

    def __enter__(self) -> Sync_co:
        """Begin; raise AlreadyProcessed when there is nothing left to do."""
        with ExitStack() as stack:
            stack.enter_context(self._only_one())
            connection = stack.enter_context(self._open())
            execute = connections.adapted(connection).execute
            if not run(execute, processed.begin(self._attempt.job)):
                raise _already_processed(self._attempt.job)
            stack.push(self._completing(execute))
            self._stack = stack.pop_all()
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the job and commit, or roll back."""
        self._stack.__exit__(kind, error, trace)
        if error is None:
            self._attempt.completed = True

    async def __aenter__(self) -> Async_co:
        """Begin; raise AlreadyProcessed when there is nothing left to do."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._only_one())
            connection = await stack.enter_async_context(self._aopen())
            execute = connections.adapted_async(connection).execute
            if not await run_async(execute, processed.begin(self._attempt.job)):
                raise _already_processed(self._attempt.job)
            stack.push_async_exit(self._acompleting(execute))
            self._astack = stack.pop_all()
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the job and commit, or roll back."""
        await self._astack.__aexit__(kind, error, trace)
        if error is None:
            self._attempt.completed = True

    @contextmanager
    def _only_one(self) -> Generator[None]:
        """Refuse a second block: one within another would wait for it for ever."""
        attempt = self._attempt
        if attempt.completed or attempt.in_transaction:
            how = "is committed and the job completed" if attempt.completed else "is open"
            raise ConfigurationError(
                f"job {attempt.job.id}: its transaction {how}; "
                "make all its effects in one transaction() block"
            )
        attempt.in_transaction = True
        try:
            yield
        finally:
            attempt.in_transaction = False

    def _open(self) -> AbstractContextManager[Any]:
        using = self._using
        if using is None:
            return self._attempt.pools.connection()
        # An Engine and a sessionmaker: both begin, commit at the end, roll back on an error.
        return using.begin()

    def _aopen(self) -> AbstractAsyncContextManager[Any]:
        using = self._using
        return self._attempt.pools.aconnection() if using is None else using.begin()

    def _completing(self, execute: Execute):  # noqa: ANN202 - an exit callback
        def complete(kind: type[BaseException] | None, *_: object) -> None:
            if kind is None:
                _check_completed(self._attempt.job, run(execute, self._completion()))

        return complete

    def _acompleting(self, execute: ExecuteAsync):  # noqa: ANN202 - an exit callback
        async def complete(kind: type[BaseException] | None, *_: object) -> None:
            if kind is None:
                done = await run_async(execute, self._completion())
                _check_completed(self._attempt.job, done)

        return complete

    def _completion(self) -> processed.Statement[str]:
        return processed.complete(self._attempt.job, perf_counter() - self._attempt.began)


def _already_processed(job: Claimed) -> AlreadyProcessed:
    return AlreadyProcessed(
        f"job {job.id}: its effects were committed by an earlier delivery; nothing was done again"
    )


def _check_completed(job: Claimed, done: list[str]) -> None:
    if not done:
        raise LeaseLost(
            f"job {job.id}: its lease was lost and another worker has it; "
            "this transaction was rolled back"
        )
