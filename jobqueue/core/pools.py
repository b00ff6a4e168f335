"""Where a task's code may run."""

from __future__ import annotations

from typing import Literal, get_args

from jobqueue.core.batch import Batch
from jobqueue.core.errors import ConfigurationError

Pool = Literal["async", "thread", "process"]
"""The worker's event loop, one of its threads, or one of its child processes."""

POOLS: tuple[Pool, ...] = get_args(Pool)


def choose_pool(pool: str | None, *, task: str, is_coroutine: bool) -> Pool:
    """Give the pool of a task: the one asked for, or what suits its function if None.

    Raises ConfigurationError for an unknown one, or one in which the function cannot run.
    """
    if pool is None:
        return "async" if is_coroutine else "thread"
    if pool not in POOLS:
        raise ConfigurationError(
            f"pool {pool!r} of task {task!r}: unknown; use one of {', '.join(POOLS)}"
        )
    if pool == "async" and not is_coroutine:
        raise ConfigurationError(
            f"pool 'async' of task {task!r}: its function is plain and would block the event loop; "
            "make it async def, or use 'thread' or 'process'"
        )
    if pool == "thread" and is_coroutine:
        raise ConfigurationError(
            f"pool 'thread' of task {task!r}: its function is async def and needs an event loop; "
            "use 'async' or 'process', or make it a plain function"
        )
    return pool


def check_batch_pool(pool: Pool, *, task: str, batch: Batch | None) -> None:
    """Raise ConfigurationError if batches of a task cannot run in its pool."""
    if batch is not None and pool == "process":
        raise ConfigurationError(
            f"pool 'process' of task {task!r}: runs no batches, for a child has one job at a time; "
            "use 'async' or 'thread', or leave out batch="
        )
