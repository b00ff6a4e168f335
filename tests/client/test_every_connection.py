"""One set of cases, through every kind of connection: the job belongs to the transaction."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from jobqueue import ArgumentError, JobQueue
from tests.client.books import jobs, rows
from tests.client.kinds import KINDS, Kind

queue = JobQueue()


@queue.task
def send_welcome(user_id: int, note: str = "") -> None: ...


@queue.task
async def bill(key: UUID, at: datetime, amount: Decimal, parts: dict[str, bytes]) -> None: ...


every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


class RolledBack(Exception):
    """Makes a savepoint roll back."""


@pytest.fixture
def users(database_url: str) -> str:
    """URL of a database with a table of the application's own."""
    rows(database_url, "CREATE TABLE IF NOT EXISTS users (id integer)")
    rows(database_url, "TRUNCATE users")
    return database_url


def user_ids(url: str) -> list[int]:
    return [row["id"] for row in rows(url, "SELECT id FROM users ORDER BY id")]


@every_kind
def test_a_job_and_the_row_it_is_about_exist_together_once_committed(kind: Kind, users: str):
    async def case():
        async with kind.open(users) as connection:
            await kind.execute(connection, "INSERT INTO users VALUES (42)")
            enqueued = await kind.enqueue(send_welcome, connection, user_id=42)
            assert jobs(users) == []
            await kind.commit(connection)
            return enqueued

    enqueued = asyncio.run(case())
    [job] = jobs(users)
    assert user_ids(users) == [42]
    assert enqueued.outcome == "inserted"
    assert (job["id"], job["task"], job["state"]) == (enqueued.id, "send_welcome", "available")
    assert (job["queue"], job["priority"], job["max_attempts"]) == ("default", 5, 5)
    assert job["args"] == {"user_id": 42}
    assert (job["attempt"], job["errors"], job["worker_id"]) == (0, None, None)


@every_kind
def test_neither_exists_once_rolled_back(kind: Kind, users: str):
    async def case():
        async with kind.open(users) as connection:
            await kind.execute(connection, "INSERT INTO users VALUES (42)")
            await kind.enqueue(send_welcome, connection, user_id=42)
            await kind.enqueue_many(send_welcome, connection, [{"user_id": 43}])
            await kind.rollback(connection)

    asyncio.run(case())
    assert (user_ids(users), jobs(users)) == ([], [])


async def enqueue_and_fail_within_a_savepoint(kind: Kind, connection, user_id: int):
    async with kind.savepoint(connection):
        await kind.enqueue(send_welcome, connection, user_id=user_id)
        raise RolledBack


@every_kind
def test_a_savepoint_that_is_rolled_back_takes_its_job_away_and_no_other(kind: Kind, users: str):
    async def case():
        async with kind.open(users) as connection:
            await kind.enqueue(send_welcome, connection, user_id=1)
            with pytest.raises(RolledBack):
                await enqueue_and_fail_within_a_savepoint(kind, connection, user_id=2)
            async with kind.savepoint(connection):
                await kind.enqueue(send_welcome, connection, user_id=3)
            await kind.commit(connection)

    asyncio.run(case())
    assert [job["args"]["user_id"] for job in jobs(users)] == [1, 3]


@every_kind
def test_many_jobs_are_enqueued_in_order_with_their_ids(kind: Kind, database_url: str):
    async def case():
        async with kind.open(database_url) as connection:
            items = ({"user_id": n} for n in range(50))
            enqueued = await kind.enqueue_many(send_welcome, connection, items)
            await kind.commit(connection)
            return enqueued

    enqueued = asyncio.run(case())
    assert {one.outcome for one in enqueued} == {"inserted"}
    assert [one.id for one in enqueued] == sorted({one.id for one in enqueued})
    by_id = {job["id"]: job["args"]["user_id"] for job in jobs(database_url)}
    assert [by_id[one.id] for one in enqueued] == list(range(50))


@every_kind
def test_enqueuing_no_jobs_at_all_is_no_error(kind: Kind, database_url: str):
    async def case():
        async with kind.open(database_url) as connection:
            return await kind.enqueue_many(send_welcome, connection, [])

    assert asyncio.run(case()) == []


@every_kind
def test_rich_arguments_arrive_at_the_task_as_they_were_enqueued(kind: Kind, database_url: str):
    given = {
        "key": uuid4(),
        "at": datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "amount": Decimal("19.90"),
        "parts": {"100% :colon %s %(name)s \\u0000 ☃": b"\x00\xff", "b": b""},
    }

    async def case():
        async with kind.open(database_url) as connection:
            await kind.enqueue(bill, connection, **given)
            await kind.enqueue_many(bill, connection, [given])
            await kind.commit(connection)

    asyncio.run(case())
    stored = rows(database_url, "SELECT args::text FROM jobqueue.jobs")
    assert [bill.signature.decode(row["args"]) for row in stored] == [([], given)] * 2


@every_kind
def test_repeating_an_id_meets_the_job_that_is_there(kind: Kind, database_url: str):
    job_id = uuid4()

    async def case():
        outcomes = []
        for user_id in (1, 2):
            async with kind.open(database_url) as connection:
                task = send_welcome.using(job_id=job_id)
                outcomes.append(await kind.enqueue(task, connection, user_id=user_id))
                await kind.commit(connection)
        return outcomes

    first, second = asyncio.run(case())
    assert (first.id, first.outcome) == (job_id, "inserted")
    assert (second.id, second.outcome) == (job_id, "met")
    assert [job["args"] for job in jobs(database_url)] == [{"user_id": 1}]


@every_kind
def test_a_refused_argument_leaves_the_transaction_usable(kind: Kind, users: str):
    async def case():
        async with kind.open(users) as connection:
            await kind.execute(connection, "INSERT INTO users VALUES (1)")
            with pytest.raises(ArgumentError):
                await kind.enqueue(send_welcome, connection, user_id="seven")
            with pytest.raises(ArgumentError):
                await kind.enqueue_many(send_welcome, connection, [{"user_id": "seven"}])
            await kind.enqueue(send_welcome, connection, user_id=7)
            await kind.commit(connection)

    asyncio.run(case())
    assert user_ids(users) == [1]
    assert [job["args"] for job in jobs(users)] == [{"user_id": 7}]
