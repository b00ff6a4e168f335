"""What an error of the database says besides: what to do about it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from jobqueue import ConfigurationError, JobQueue, Retry, UnsupportedConnection
from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.client.kinds import KINDS, Kind
from tests.store.roles import connected_as

queue = JobQueue()


@queue.task
def note(number: int) -> None: ...


every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def noted(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", []))


@every_kind
def test_a_database_without_our_schema_is_to_be_migrated(kind: Kind, empty_database_url: str):
    async def enqueue() -> None:
        async with kind.open(empty_database_url) as connection:
            await kind.enqueue(note, connection, number=1)

    with pytest.raises(Exception, match="jobqueue") as caught:
        asyncio.run(enqueue())
    assert "run `jobqueue migrate`" in noted(caught.value)


@every_kind
def test_a_failed_transaction_is_to_be_rolled_back(kind: Kind, database_url: str):
    async def enqueue() -> BaseException:
        async with kind.open(database_url) as connection:
            with pytest.raises(Exception, match="no_such_table"):
                await kind.execute(connection, "SELECT FROM no_such_table")
            try:
                await kind.enqueue(note, connection, number=1)
            except Exception as error:
                await kind.rollback(connection)
                return error
            raise AssertionError("enqueued in a failed transaction")

    assert "roll back, and begin again" in noted(asyncio.run(enqueue()))


def test_a_read_only_transaction_and_a_role_without_rights_are_told_what_they_lack(database_url):
    with psycopg.connect(to_conninfo(database_url)) as connection:
        connection.read_only = True
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as caught:
            note.enqueue(connection, 1)
        assert "to enqueue is to write" in noted(caught.value)
    with connected_as(database_url, Purpose.READ) as reader:
        for enqueue in (
            lambda: note.enqueue(reader, 1),
            lambda: note.enqueue_many(reader, [{"number": 1}]),
            lambda: note.enqueue_bulk(reader, [{"number": 1}]),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
                enqueue()
            assert "jobqueue grants --role" in noted(refused.value)


def test_a_forgotten_connection_is_what_the_error_is_about():
    with pytest.raises(UnsupportedConnection, match="int: not a kind of connection we know"):
        note.enqueue(1)  # pyright: ignore[reportCallIssue]


def test_what_makes_connections_is_told_from_one(database_url):
    with pytest.raises(UnsupportedConnection, match="take one from it and pass it first"):
        note.enqueue(psycopg.Connection, 1)


def test_items_that_only_an_async_for_could_read_are_refused(connection):
    async def items():
        yield {"number": 1}

    for enqueue in (note.enqueue_bulk, note.enqueue_many):
        with pytest.raises(ConfigurationError, match="collect its items"):
            enqueue(connection, items())


def test_a_number_is_no_retry():
    with pytest.raises(ConfigurationError, match=r"give Retry\(attempts="):
        queue.task(retry=3)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert Retry(attempts=3).attempts == 3
