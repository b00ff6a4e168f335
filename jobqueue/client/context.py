"""The job that the calling code runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from jobqueue.client.resources import NO_RESOURCES, Resources
from jobqueue.client.transaction import JobTransaction
from jobqueue.client.transaction_source import Pools
from jobqueue.core.errors import ConfigurationError, NoCurrentJob
from jobqueue.core.outcome import JobStopped, storable
from jobqueue.core.schedules import tick_id
from jobqueue.store.claims import Claimed

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import (
        AsyncConnection,
        AsyncEngine,
        AsyncSession,
        async_sessionmaker,
    )
    from sqlalchemy.orm import Session, sessionmaker


Report = Callable[[Claimed, float, str], None]
"""Takes in how far a job is: a fraction, and some words."""


class Attempt:
    """One run of a job, as its worker keeps it.

    began: by the worker's monotonic clock, in seconds.
    history: whether the job is kept when it has completed.
    loop: the worker's event loop; None where it has none for this attempt.
    report: takes in how far the job is, in any thread.
    """

    __slots__ = (
        "began", "committing", "completed", "given_up", "history", "in_transaction", "job", "loop",
        "overruled", "pools", "report", "stopped",
    )  # fmt: skip

    def __init__(
        self,
        job: Claimed,
        pools: Pools,
        began: float,
        report: Report,
        history: bool,  # noqa: FBT001 - by position, which is quicker
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.job = job
        self.pools = pools
        self.began = began
        self.report = report
        self.history = history
        self.loop = loop
        self.in_transaction = False
        """whether a transaction of the job's own is open"""
        self.committing = False
        """whether that transaction has recorded the completion, which is then not sure yet"""
        self.completed = False
        """whether a transaction of the job's own has recorded its completion"""
        self.overruled: Exception | None = None
        """how it ended in truth, whatever the task made of the exception that told it so"""
        self.stopped: Exception | None = None
        """why it is to stop, once it is"""
        self.given_up = False
        """whether it was told to stop, ran on, and was ended in the books without it"""

    @property
    def members(self) -> Sequence[Attempt]:
        """The attempts of single jobs that are in this one: itself, or those of a batch."""
        return (self,)

    def tell(self, reason: Exception) -> None:
        """Note why it is to stop."""
        self.stopped = reason

    def check(self) -> None:
        """Return unless the attempt is to stop. Raises JobStopped."""
        if self.stopped is not None:
            raise JobStopped(f"job {self.job.id}: told to stop: {self.stopped}")


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """What a running job may know of itself, and do. attempt: from 1."""

    id: UUID
    """The same in every attempt, so a key for effects elsewhere."""
    task: str
    queue: str
    attempt: int
    max_attempts: int
    resources: Resources
    """What the lifespans of the application have opened in this process, by name.

    A name that none of them yields raises UnknownResource, a KeyError that lists those there.
    """
    _attempt: Attempt

    @property
    def scheduled_for(self) -> datetime | None:
        """The tick of a schedule that enqueued the job, in UTC; None if no schedule did."""
        return tick_id.scheduled_for(self.id)

    @property
    def is_catch_up(self) -> bool:
        """Whether the job makes up for a tick that was missed."""
        return tick_id.is_catch_up(self.id)

    @property
    def cancelled(self) -> bool:
        """Whether the job is to stop: somebody cancelled it, or its time is over.

        A coroutine is cancelled and a process interrupted. A plain function in a thread has to
        look here, or call `check()`, from time to time.
        """
        return self._attempt.stopped is not None

    def check(self) -> None:
        """Go on, unless the job is to stop.

        Raises JobStopped, which is no Exception: let it pass, and clean up in `finally`.
        """
        self._attempt.check()

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the job is: a fraction from 0 to 1, and some words.

        Call it as often as you like: the books are told once a second at most. It is a checkpoint
        as well. Raises ConfigurationError for what is no fraction, and as `check`.
        """
        self._attempt.check()
        self._attempt.report(self._attempt.job, *_progress(fraction, message))

    @overload
    def transaction(
        self, using: None = None
    ) -> JobTransaction[psycopg.Connection[Any], psycopg.AsyncConnection[Any]]: ...

    @overload
    def transaction(self, using: Engine) -> JobTransaction[Connection, Any]: ...

    @overload
    def transaction(self, using: sessionmaker[Session]) -> JobTransaction[Session, Any]: ...

    @overload
    def transaction(self, using: AsyncEngine) -> JobTransaction[Any, AsyncConnection]: ...

    @overload
    def transaction(
        self, using: async_sessionmaker[AsyncSession]
    ) -> JobTransaction[Any, AsyncSession]: ...

    def transaction(self, using: Any = None) -> JobTransaction[Any, Any]:
        """Open a transaction in which the job's effects and its completion commit together.

        `async with current_job().transaction() as connection:` in an async task, `with` in a plain
        one. The block's writes, a row in `processed_ids` and the job's completion are one commit:
        whatever fails, they happened once or not at all. What follows the block cannot fail the
        job any more.

        using: None for a psycopg connection of the worker's own; or your Engine, sessionmaker,
            AsyncEngine or async_sessionmaker, on the queue's database.
        Raises AlreadyProcessed when an earlier delivery has made the effects: the block is not
        entered, and the job ends as completed. Raises LeaseLost at the end of the block when the
        job was given to another worker meanwhile: everything is rolled back. Raises Snooze when
        another delivery is in the middle of its block: the job is tried again a second later, and
        this attempt does not count. Raises ConfigurationError or UnsupportedConnection when `using`
        gives no transaction, or the block commits by itself. It is a checkpoint, as `check`.
        """
        self._attempt.check()
        return JobTransaction(self._attempt, using)


LONGEST_PROGRESS = 500
"""Characters of a progress message; what is beyond is cut off."""

current_attempt: ContextVar[Attempt] = ContextVar("jobqueue_current_attempt")
current_resources = ContextVar("jobqueue_current_resources", default=NO_RESOURCES)
"""The same for all jobs of a worker, so it is set once, in the context that they all begin with."""


def current_job() -> CurrentJob:
    """Give the job this code runs in, on the event loop, in a thread or in a process of the worker.

    Raises NoCurrentJob outside a job.
    """
    try:
        attempt = current_attempt.get()
    except LookupError:
        raise NoCurrentJob(
            "current_job(): no job runs here; call it from a task that a worker runs"
        ) from None
    if attempt.members != (attempt,):
        raise NoCurrentJob(
            "current_job(): a batch of jobs runs here; use current_batch(), which has them all"
        )
    return as_current(attempt)


def as_current(attempt: Attempt) -> CurrentJob:
    """Give what the job of an attempt may know of itself."""
    job = attempt.job
    return CurrentJob(
        UUID(job.id),
        job.task,
        job.queue,
        job.attempt,
        job.max_attempts,
        current_resources.get(),
        attempt,
    )


def _progress(fraction: float, message: str) -> tuple[float, str]:
    """Give what is reported, checked. Raises ConfigurationError for what is no fraction."""
    if isinstance(fraction, bool) or not isinstance(fraction, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(f"progress {fraction!r}: not a number; give a fraction")
    if not 0 <= fraction <= 1:
        raise ConfigurationError(f"progress {fraction!r}: not a fraction; give 0 to 1")
    return float(fraction), storable(str(message)[:LONGEST_PROGRESS])
