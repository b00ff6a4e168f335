"""enqueue_bulk makes the jobs that enqueue_many makes, only more of them at a time."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from psycopg import sql
from sqlalchemy.orm import Session

from jobqueue import ArgumentError, ConfigurationError, JobQueue, Retry, Unique
from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose, grants
from tests.client.books import jobs, rows
from tests.client.kinds import KINDS, Kind

queue = JobQueue()


@queue.task
def note(number: int, text: str | None = None) -> None: ...


@queue.task(queue="post\\office", priority="low", retry=Retry(attempts=9))
def post(number: int) -> None: ...


every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
LATER = datetime(2120, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
AWKWARD = [
    None, "",
    "\\", "\\N", "\\.", "\\\\n", "tab\there", "line\nfeed", "carriage\rreturn", '"quoted"',
    "☃ \U0001f600 \u2028 é", "%s %(name)s %%", "\\x41", "\\u0041", "\x01\x7f", "{}", "a\tb\n\\.\n",
]  # fmt: skip


async def bulk(kind: Kind, url: str, task, items) -> int:
    async with kind.open(url) as connection:
        count = await kind.enqueue_bulk(task, connection, items)
        await kind.commit(connection)
        return count


def in_order(url: str) -> list[dict]:
    return rows(url, "SELECT * FROM jobqueue.jobs ORDER BY priority, run_at, id")


@every_kind
def test_bulk_jobs_run_in_the_order_they_were_given(kind: Kind, database_url: str):
    items = ({"number": n} for n in range(600))
    assert asyncio.run(bulk(kind, database_url, note, items)) == 600
    stored = in_order(database_url)
    assert [job["args"]["number"] for job in stored] == list(range(600))
    assert len({job["id"] for job in stored}) == 600
    assert {job["id"].version for job in stored} == {7}


@every_kind
def test_no_character_is_lost_on_the_way(kind: Kind, database_url: str):
    items = [{"number": n, "text": text} for n, text in enumerate(AWKWARD)]
    asyncio.run(bulk(kind, database_url, note, items))
    assert [job["args"]["text"] for job in in_order(database_url)] == AWKWARD


@every_kind
def test_nothing_in_bulk_is_no_error(kind: Kind, database_url: str):
    assert asyncio.run(bulk(kind, database_url, note, [])) == 0
    assert jobs(database_url) == []


@every_kind
def test_the_row_that_does_not_fit_is_named_and_a_rollback_leaves_nothing(kind, database_url):
    async def case():
        async with kind.open(database_url) as connection:
            items = ({"number": n if n < 700 else "many"} for n in range(2_000))
            with pytest.raises(ArgumentError) as refused:
                await kind.enqueue_bulk(note, connection, items)
            await kind.rollback(connection)
            # And the connection is good for more.
            assert await kind.enqueue_bulk(note, connection, [{"number": 1}]) == 1
            await kind.commit(connection)
            return refused.value

    error = asyncio.run(case())
    assert (error.row, error.parameter) == (700, "number")
    assert "row 700" in str(error)
    assert [job["args"]["number"] for job in jobs(database_url)] == [1]


@every_kind
def test_keys_are_respected_in_bulk(kind: Kind, database_url: str):
    task = note.using(unique=Unique.skip(lambda number: str(number % 3)))
    assert asyncio.run(bulk(kind, database_url, task, [{"number": n} for n in range(10)])) == 3
    once = note.using(idempotency_key=lambda number: str(number % 4))
    assert asyncio.run(bulk(kind, database_url, once, [{"number": n} for n in range(10)])) == 4
    assert sorted(job["args"]["number"] for job in jobs(database_url)) == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    "task",
    [note, post, note.using(delay=60), note.using(run_at=LATER), note.using(priority=-7),
     note.using(queue="a\\nb"), note.using(attempts=3)],
    ids=lambda task: repr(task.options)[14:],
)  # fmt: skip
def test_a_bulk_job_is_like_one_of_many(connection, database_url, task):
    task.enqueue_many(connection, [{"number": 1}])
    task.enqueue_bulk(connection, [{"number": 1}])
    connection.commit()
    one, other = jobs(database_url)
    same = one.keys() - {"id", "enqueued_at", "run_at"}
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    waits = [job["run_at"] - job["enqueued_at"] for job in (one, other)]
    assert abs(waits[0] - waits[1]) < timedelta(seconds=60 if task.options.run_at else 0.001)


@pytest.mark.parametrize(
    "setting",
    ["DateStyle = 'SQL, DMY'", "DateStyle = 'German'", "TimeZone = 'Asia/Kolkata'",
     "client_encoding = 'LATIN1'"],
)  # fmt: skip
def test_bulk_does_not_depend_on_how_the_session_writes(connection, database_url, setting):
    connection.execute(f"SET {setting}")
    connection.execute("SET TimeZone = 'Asia/Kolkata'")
    before = datetime.now(UTC)
    note.enqueue_bulk(connection, [{"number": 1, "text": "é"}])
    connection.commit()
    [job] = jobs(database_url)
    assert job["args"]["text"] == "é"
    assert abs(job["run_at"] - before) < timedelta(minutes=1)


def test_within_a_pipeline_one_many_and_bulk_are_answered_too(connection, database_url):
    with connection.pipeline():
        assert note.enqueue(connection, 1).outcome == "inserted"
        assert len(note.enqueue_many(connection, [{"number": 2}])) == 1
        assert note.enqueue_bulk(connection, [{"number": 3}]) == 1
    connection.commit()
    assert len(jobs(database_url)) == 3


def test_a_job_id_for_many_is_refused(connection):
    with pytest.raises(ConfigurationError, match="job_id"):
        note.using(job_id=uuid4()).enqueue_bulk(connection, [{"number": 1}])


@contextmanager
def enqueuer(url: str) -> Iterator[psycopg.Connection]:
    """A session of a role that may enqueue and touch no table."""
    name = f"enqueuer_{uuid4().hex}"
    with psycopg.connect(to_conninfo(url), autocommit=True) as owner:
        role = sql.Identifier(name)
        owner.execute(sql.SQL("CREATE ROLE {}").format(role))
        try:
            owner.execute(grants(name, Purpose.ENQUEUE))
            with psycopg.connect(to_conninfo(url)) as session:
                session.execute(sql.SQL("SET ROLE {}").format(role))
                session.commit()
                yield session
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(role))
            owner.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_role_without_a_right_to_the_table_enqueues_in_bulk_all_the_same(database_url):
    with enqueuer(database_url) as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), session.transaction():
            session.execute("INSERT INTO jobqueue.jobs (task) VALUES ('x')")
        assert note.enqueue_bulk(session, ({"number": n} for n in range(20))) == 20
        assert note.enqueue(session, 20).outcome == "inserted"
        session.commit()
    assert [job["args"]["number"] for job in jobs(database_url)] == list(range(21))


def test_memory_stays_flat_while_a_generator_is_enqueued(connection, database_url):
    note.enqueue_bulk(connection, [{"number": 0}])
    tracemalloc.start()
    try:
        assert note.enqueue_bulk(connection, ({"number": n} for n in range(200_000))) == 200_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    connection.rollback()
    assert peak < 4_000_000


@every_kind
def test_after_a_row_that_does_not_fit_the_transaction_is_usable(kind: Kind, database_url: str):
    async def bad_then_good() -> None:
        async with kind.open(database_url) as connection:
            await kind.enqueue(note, connection, number=1)
            rows_given = ({"number": n} if n < 300 else {"wrong": n} for n in range(301))
            with pytest.raises(ArgumentError):
                await kind.enqueue_bulk(note, connection, rows_given)
            await kind.enqueue(note, connection, number=2)
            await kind.commit(connection)

    asyncio.run(bad_then_good())
    assert [job["args"]["number"] for job in in_order(database_url)] == [1, 2]


def test_a_job_id_for_bulk_is_refused_before_anything_is_sent(connection):
    with pytest.raises(ConfigurationError, match="of one job"):
        note.using(job_id=uuid4()).enqueue_bulk(connection, [{"number": 1}])
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_role_that_may_also_insert_needs_no_more_for_bulk(database_url):
    with enqueuer(database_url) as session:
        role = session.execute("SELECT current_user").fetchone()
        assert role is not None
        with psycopg.connect(to_conninfo(database_url), autocommit=True) as owner:
            right = sql.SQL("GRANT INSERT ON jobqueue.jobs TO {}")
            owner.execute(right.format(sql.Identifier(role[0])))
        assert note.enqueue_bulk(session, ({"number": n} for n in range(20))) == 20
        session.commit()


def test_a_generator_may_use_the_connection_it_enqueues_through(connection, database_url):
    """Rows read by a server-side cursor become jobs, in one transaction."""

    def from_the_database():
        with connection.cursor("numbers") as cursor:
            cursor.itersize = 100
            for (number,) in cursor.execute("SELECT generate_series(1, 25000)"):
                yield {"number": number}

    connection.execute("SET statement_timeout = '30s'")
    assert note.enqueue_bulk(connection, from_the_database()) == 25_000
    connection.commit()
    stored = in_order(database_url)
    assert [job["args"]["number"] for job in stored] == list(range(1, 25_001))


def test_a_session_may_read_while_it_enqueues_in_bulk(database_url):
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(to_conninfo(database_url))
    )
    with Session(engine) as session, session.begin():
        session.execute(sqlalchemy.text("SET LOCAL statement_timeout = '30s'"))

        def from_the_session():
            for number in range(3):
                yield {"number": session.scalar(sqlalchemy.select(number))}

        assert note.enqueue_bulk(session, from_the_session()) == 3
    engine.dispose()
    assert len(in_order(database_url)) == 3


def test_bulk_counts_what_was_inserted_and_not_what_was_met(connection):
    keyed = note.using(unique=Unique.skip("one"))
    assert keyed.enqueue_bulk(connection, ({"number": n} for n in range(5))) == 1
