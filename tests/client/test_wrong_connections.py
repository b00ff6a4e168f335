"""What cannot be enqueued through is refused, with what to do instead."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from jobqueue import JobQueue, UnsupportedConnection
from jobqueue.client.queue import JobQueue as JobQueueClass
from jobqueue.client.task import Task
from tests.client.kinds import ASYNC_KINDS, SYNC_KINDS, Kind

queue = JobQueue()


@queue.task
def resize(width: int) -> None: ...


def never_connects():
    raise AssertionError("the database was touched")


ENGINE = sqlalchemy.create_engine(
    "postgresql+psycopg://", creator=never_connects, poolclass=NullPool
)

WRONG = [None, 5, "postgresql://localhost/x", object(), psycopg, psycopg.Connection, ENGINE]
WRONG += [sessionmaker(ENGINE), sqlite3.Connection]


def named(value: object) -> str:
    """Name a case the same in every process, which an object's address is not."""
    return "object" if type(value) is object else repr(value)[:30]


def all_ways_through(connection: object):
    """Call each way to enqueue through a connection."""
    return [
        lambda: resize.enqueue(connection, 1),
        lambda: resize.enqueue_many(connection, [{"width": 1}]),
        lambda: resize.enqueue_bulk(connection, [{"width": 1}]),
        lambda: asyncio.run(resize.aenqueue(connection, 1)),
        lambda: asyncio.run(resize.aenqueue_many(connection, [{"width": 1}])),
        lambda: asyncio.run(resize.aenqueue_bulk(connection, [{"width": 1}])),
    ]


WAYS = ["one", "many", "bulk", "async-one", "async-many", "async-bulk"]


@pytest.mark.parametrize("connection", WRONG, ids=named)
@pytest.mark.parametrize("way", range(6), ids=WAYS)
def test_an_object_of_no_known_kind_is_refused_with_the_kinds_there_are(connection, way):
    with pytest.raises(UnsupportedConnection) as refused:
        all_ways_through(connection)[way]()
    assert type(connection).__qualname__ in str(refused.value)
    assert "pass it first" in str(refused.value)
    for known in ("psycopg Connection", "AsyncConnection", "Session", "AsyncSession"):
        assert known in str(refused.value)


@pytest.mark.parametrize("kind", ASYNC_KINDS, ids=str)
def test_an_asynchronous_connection_is_told_to_use_aenqueue(kind: Kind, database_url):
    async def case():
        async with kind.open(database_url) as connection:
            for way in all_ways_through(connection)[:3]:
                with pytest.raises(UnsupportedConnection, match=r"asynchronous; use await task\.a"):
                    way()

    asyncio.run(case())


@pytest.mark.parametrize("kind", SYNC_KINDS, ids=str)
def test_a_synchronous_connection_is_told_to_use_enqueue(kind: Kind, database_url):
    async def case():
        async with kind.open(database_url) as connection:
            with pytest.raises(UnsupportedConnection, match=r"synchronous; use task\.enqueue\("):
                await resize.aenqueue(connection, 1)
            with pytest.raises(UnsupportedConnection, match=r"synchronous; use task\.enqueue"):
                await resize.aenqueue_many(connection, [{"width": 1}])
            with pytest.raises(UnsupportedConnection, match=r"synchronous; use task\.enqueue"):
                await resize.aenqueue_bulk(connection, [{"width": 1}])

    asyncio.run(case())


def test_the_wrong_way_is_told_without_touching_the_database():
    with Session(ENGINE) as session, pytest.raises(UnsupportedConnection, match="synchronous"):
        asyncio.run(resize.aenqueue(session, 1))


def test_a_sqlalchemy_connection_to_another_database_is_refused_by_its_driver():
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(UnsupportedConnection) as refused:
        resize.enqueue(connection, 1)
    engine.dispose()
    assert "sqlite" in str(refused.value)
    assert "postgresql+psycopg" in str(refused.value)


def test_a_forgotten_connection_is_told_what_to_do():
    for call in (resize.enqueue, lambda: resize.enqueue(width=1)):
        with pytest.raises(UnsupportedConnection, match="none is given; pass it first") as refused:
            call()
        assert str(refused.value).endswith("in a transaction of its own use task.enqueue_now(...)")
    with pytest.raises(UnsupportedConnection, match=r"use await task\.aenqueue_now\("):
        asyncio.run(resize.aenqueue(width=1))
    with pytest.raises(UnsupportedConnection, match=r"builtins\.int.*use task\.enqueue_now\("):
        resize.enqueue(7, 1)


def twins(kind: type) -> list[tuple[str, str]]:
    """Every public method of which there is one with an `a` before its name."""
    return [
        (name, f"a{name}")
        for base in reversed(kind.__mro__)
        for name in vars(base)
        if not name.startswith("_") and f"a{name}" in vars(base)
    ]


def test_every_way_to_enqueue_has_its_twin():
    assert twins(Task) == [
        ("enqueue", "aenqueue"),
        ("enqueue_many", "aenqueue_many"),
        ("enqueue_bulk", "aenqueue_bulk"),
        ("enqueue_now", "aenqueue_now"),
    ]
    assert twins(JobQueueClass) == [
        ("set_queue", "aset_queue"),
        ("queues", "aqueues"),
        ("cancel", "acancel"),
        ("wait_for", "await_for"),
        ("result", "aresult"),
        ("why", "awhy"),
        ("pause", "apause"),
        ("resume", "aresume"),
        ("transaction", "atransaction"),
        ("connect", "aconnect"),
    ]


@pytest.mark.parametrize(("sync", "asynchronous"), twins(Task))
def test_twins_take_and_give_the_same(sync, asynchronous):
    one, other = getattr(Task, sync), getattr(Task, asynchronous)
    assert inspect.signature(one) == inspect.signature(other)
    assert not inspect.iscoroutinefunction(one)
    assert inspect.iscoroutinefunction(other)
    assert one.__doc__
    assert other.__doc__
