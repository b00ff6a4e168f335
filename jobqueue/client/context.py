"""The job that the calling code runs in."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from jobqueue.core.errors import NoCurrentJob
from jobqueue.store.jobs import Claimed


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """What a running job may know of itself. attempt: from 1."""

    id: UUID
    """The same in every attempt, so a key for effects elsewhere."""
    task: str
    queue: str
    attempt: int
    max_attempts: int


# As claimed: a job that never asks pays for no more.
claimed_job: ContextVar[Claimed] = ContextVar("jobqueue_claimed_job")


def current_job() -> CurrentJob:
    """Give the job this code runs in, on the event loop or in a thread of the worker.

    Raises NoCurrentJob outside a job.
    """
    try:
        job = claimed_job.get()
    except LookupError:
        raise NoCurrentJob(
            "current_job(): no job runs here; call it from a task that a worker runs"
        ) from None
    return CurrentJob(UUID(job.id), job.task, job.queue, job.attempt, job.max_attempts)
