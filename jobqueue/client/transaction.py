"""A transaction in which a job's effects and its completion commit together."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jobqueue.client import connections
from jobqueue.client.transaction_source import Guard, opened, opened_async
from jobqueue.core.errors import AlreadyProcessed, ConfigurationError, LeaseLost, PartlyCommitted
from jobqueue.core.outcome import Snooze
from jobqueue.store import processed
from jobqueue.store.processed import Begun, Done
from jobqueue.store.statement import Execute, ExecuteAsync, run, run_async

if TYPE_CHECKING:
    from jobqueue.client.context import Attempt

Sync_co = TypeVar("Sync_co", covariant=True)
Async_co = TypeVar("Async_co", covariant=True)

# How long a job is put off whose other delivery is in the middle of its transaction.
ELSEWHERE_SECONDS = 1.0


class JobTransaction(Generic[Sync_co, Async_co]):
    """Made by `current_job().transaction()`; a context manager, and an asynchronous one."""

    def __init__(self, attempt: Attempt, using: Any = None) -> None:  # noqa: ANN401 - several kinds
        self._attempt = attempt
        self._using = using
        self._guard = Guard(attempt.job.id)
        self._stack = ExitStack()
        self._astack = AsyncExitStack()

    def __enter__(self) -> Sync_co:
        """Begin; raise AlreadyProcessed when there is nothing left to do."""
        self._check_no_event_loop()
        with ExitStack() as stack:
            stack.enter_context(self._only_one())
            connection = stack.enter_context(opened(self._using, self._attempt.pools))
            self._guard.watch(connection)
            execute = connections.adapted(connection).execute
            [begun] = run(execute, processed.begin(self._attempt.job))
            self._check_begun(begun)
            stack.push(self._completing(execute, begun.transaction))
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
        self._check_same_event_loop()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._only_one())
            source = opened_async(self._using, self._attempt.pools)
            connection = await stack.enter_async_context(source)
            await self._guard.watch_async(connection)
            execute = connections.adapted_async(connection).execute
            [begun] = await run_async(execute, processed.begin(self._attempt.job))
            self._check_begun(begun)
            stack.push_async_exit(self._acompleting(execute, begun.transaction))
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
        if isinstance(attempt.overruled, PartlyCommitted):
            raise attempt.overruled
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
            attempt.in_transaction = attempt.committing = False

    def _check_no_event_loop(self) -> None:
        """Refuse to wait for a connection where the worker's heartbeats would wait too."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise ConfigurationError(
            f"job {self._attempt.job.id}: `with` transaction() on an event loop, which it would "
            "block; use `async with`"
        )

    def _check_same_event_loop(self) -> None:
        """Refuse the worker's own connections to a loop that is not the worker's."""
        if self._using is None and asyncio.get_running_loop() is not self._attempt.loop:
            raise ConfigurationError(
                f"job {self._attempt.job.id}: `async with` transaction() on an event loop that is "
                "not the worker's; use `with` in a plain function, or make the task async def"
            )

    def _check_begun(self, begun: Begun) -> None:
        job = self._attempt.job
        self._attempt.overruled = None
        if begun.processed:
            raise AlreadyProcessed(
                f"job {job.id}: its effects were committed by an earlier delivery; "
                "nothing was done again"
            )
        if not begun.held:
            raise LeaseLost(
                f"job {job.id}: its lease was lost and another worker has it; nothing was done"
            )
        if not begun.alone:
            self._attempt.overruled = _elsewhere()
            raise self._attempt.overruled

    def _completing(self, execute: Execute, transaction: str):  # noqa: ANN202 - an exit callback
        def complete(kind: type[BaseException] | None, *_: object) -> None:
            if kind is None:
                self._guard.check()
                self._attempt.committing = True
                [done] = run(execute, self._completion(transaction))
                self._check_done(done)

        return complete

    def _acompleting(self, execute: ExecuteAsync, transaction: str):  # noqa: ANN202 - an exit callback
        async def complete(kind: type[BaseException] | None, *_: object) -> None:
            if kind is None:
                self._guard.check()
                self._attempt.committing = True
                [done] = await run_async(execute, self._completion(transaction))
                self._check_done(done)

        return complete

    def _completion(self, transaction: str) -> processed.Statement[Done]:
        seconds = perf_counter() - self._attempt.began
        return processed.complete(
            self._attempt.job, transaction, seconds, keep=self._attempt.history
        )

    def _check_done(self, done: Done) -> None:
        """Let the commit pass if the completion is recorded in it."""
        job = self._attempt.job
        if done.status == "committed":
            # Every further attempt would make that part again, and no attempt can mend the code.
            self._attempt.overruled = PartlyCommitted(
                f"job {job.id}: a COMMIT inside its transaction() block made a part of its effects "
                "for good, and the rest was rolled back; the block commits at its end, together "
                "with the job's completion: leave out COMMIT"
            )
            raise self._attempt.overruled
        if done.status != "in progress":
            raise ConfigurationError(
                f"job {job.id}: a ROLLBACK inside its transaction() block, which is then over; "
                "raise an exception to roll back"
            )
        if not done.recorded:
            raise LeaseLost(
                f"job {job.id}: its lease was lost and another worker has it; "
                "this transaction was rolled back"
            )
        self._guard.open()


def _elsewhere() -> Snooze:
    """Say why the job is put off."""
    error = Snooze(ELSEWHERE_SECONDS)
    error.args = ("another delivery of it is in the middle of its transaction",)
    return error
