"""Deciding for queues from the application."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from jobqueue import ConfigurationError, JobQueue
from jobqueue.store.database import to_conninfo

jobs = JobQueue()
ALL = {
    "concurrency": 4, "history_days": 30, "attempts": 9, "target_backlog": 100,
    "min_workers": 1, "max_workers": 10,
}  # fmt: skip


def test_what_is_decided_is_listed_changed_and_taken_back(database_url: str) -> None:
    with psycopg.connect(to_conninfo(database_url)) as connection:
        jobs.set_queue(connection, "email", **ALL)
        [queue] = jobs.queues(connection)
        told = (
            queue.name, queue.concurrency, queue.history_days, queue.max_attempts,
            queue.target_backlog, queue.min_workers, queue.max_workers,
        )  # fmt: skip
        assert told == ("email", 4, 30, 9, 100, 1, 10)
        jobs.set_queue(connection, "email", attempts=None, min_workers=None)
        [queue] = jobs.queues(connection)
        assert (queue.max_attempts, queue.min_workers, queue.history_days) == (None, 0, 30)
        connection.rollback()
        assert jobs.queues(connection) == []


def test_the_same_through_an_asynchronous_connection(database_url: str) -> None:
    async def scenario() -> None:
        async with await psycopg.AsyncConnection.connect(to_conninfo(database_url)) as connection:
            await jobs.aset_queue(connection, "email", concurrency=2)
            [queue] = await jobs.aqueues(connection)
            assert (queue.name, queue.concurrency) == ("email", 2)
            await connection.rollback()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({}, "nothing to set"),
        ({"colour": 1}, "'colour' cannot be decided"),
        ({"concurrency": 0}, "concurrency 0: not a whole number from 1"),
        ({"history_days": True}, "history_days True"),
        ({"attempts": 40_000}, "attempts 40000"),
        ({"min_workers": -1}, "min_workers -1"),
        ({"max_workers": 1.5}, "max_workers 1.5"),
        ({"min_workers": 5, "max_workers": 4}, "max_workers 4 is below min_workers 5"),
    ],
)
def test_what_cannot_be_decided_is_refused(policies: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        jobs.set_queue(None, "email", **policies)


def test_a_queue_needs_a_name() -> None:
    with pytest.raises(ConfigurationError, match="not a name"):
        jobs.set_queue(None, "", concurrency=1)
