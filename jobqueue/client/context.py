"""The job that the calling code runs in."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from jobqueue.client.transaction import JobTransaction
from jobqueue.client.transaction_source import Pools
from jobqueue.core.errors import NoCurrentJob
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


class Attempt:
    """One run of a job, as its worker keeps it.

    began: by the worker's monotonic clock, in seconds.
    history: whether the job is kept when it has completed.
    """

    __slots__ = (
        "began", "completed", "history", "in_transaction", "job", "loop", "overruled", "pools",
    )  # fmt: skip

    def __init__(self, job: Claimed, pools: Pools, began: float, *, history: bool = True) -> None:
        self.job = job
        self.pools = pools
        self.began = began
        self.history = history
        self.in_transaction = False
        """whether a transaction of the job's own is open"""
        self.completed = False
        """whether a transaction of the job's own has recorded its completion"""
        self.overruled: Exception | None = None
        """how it ended in truth, whatever the task made of the exception that told it so"""
        self.loop = asyncio.get_running_loop()
        """the worker's event loop"""


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """What a running job may know of itself, and do. attempt: from 1."""

    id: UUID
    """The same in every attempt, so a key for effects elsewhere."""
    task: str
    queue: str
    attempt: int
    max_attempts: int
    _attempt: Attempt

    @property
    def scheduled_for(self) -> datetime | None:
        """The tick of a schedule that enqueued the job, in UTC; None if no schedule did."""
        return tick_id.scheduled_for(self.id)

    @property
    def is_catch_up(self) -> bool:
        """Whether the job makes up for a tick that was missed."""
        return tick_id.is_catch_up(self.id)

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
        gives no transaction, or the block commits by itself.
        """
        return JobTransaction(self._attempt, using)


current_attempt: ContextVar[Attempt] = ContextVar("jobqueue_current_attempt")


def current_job() -> CurrentJob:
    """Give the job this code runs in, on the event loop or in a thread of the worker.

    Raises NoCurrentJob outside a job.
    """
    try:
        attempt = current_attempt.get()
    except LookupError:
        raise NoCurrentJob(
            "current_job(): no job runs here; call it from a task that a worker runs"
        ) from None
    job = attempt.job
    return CurrentJob(UUID(job.id), job.task, job.queue, job.attempt, job.max_attempts, attempt)
