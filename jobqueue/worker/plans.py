"""What is to be known of a task for each of its jobs, found out once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple

from jobqueue.client.task import Task
from jobqueue.worker.batches import run_batch
from jobqueue.worker.ending import Ending
from jobqueue.worker.pools import Pool
from jobqueue.worker.pools.event_loop import EventLoop
from jobqueue.worker.pools.threads import Threads

Run = Callable[[Task[..., Any], Any], Coroutine[Any, Any, Ending | list[Ending]]]
"""Runs an attempt, and says how it ended; of a batch, how each of its jobs did."""


class Plan(NamedTuple):
    """What is to be known of a task for each of its jobs, at hand.

    run: of its pool. timed: whether it has a timeout. at_once: whether that is counted from an
    attempt's start; or else the pool says when it begins. limited: whether its pool
    may be full. batches: whether several of its jobs are run together. flows: whether its jobs are
    under limits.
    """

    task: Task[..., Any]
    run: Run
    history: bool
    timed: bool
    at_once: bool
    limited: bool
    batches: bool
    flows: bool


def plan_of(task: Task[..., Any], pool: Pool) -> Plan:
    """Find out what the jobs of a task need."""
    run: Run = pool.run
    if task.batch is not None:
        assert isinstance(pool, EventLoop | Threads)  # noqa: S101 - no other takes batches
        run = partial(run_batch, pool.call)
    return Plan(
        task,
        run,
        history=task.history,
        timed=task.timeout is not None,
        at_once=not pool.tells_begin,
        limited=pool.most(task) is not None,
        batches=task.batch is not None,
        flows=task.flow is not None,
    )


def begin(
    attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, context: Context
) -> asyncio.Task[None]:
    """Start `attempt` as a task in `context`; it runs to its first wait at once if it can."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(attempt, loop=loop, context=context, eager_start=True)
    return loop.create_task(attempt, context=context)
