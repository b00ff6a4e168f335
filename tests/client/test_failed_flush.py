"""A flush or a statement that fails takes the job with it, through every kind of connection."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlmodel import Field, SQLModel

from jobqueue import JobQueue
from tests.client.books import jobs, rows
from tests.client.kinds import KINDS, Kind

queue = JobQueue()


@queue.task
def greet(user_id: int) -> None: ...


class Base(orm.DeclarativeBase):
    """The application's models."""


class Member(Base):
    """One of them."""

    __tablename__ = "members"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


class ModelMember(SQLModel, table=True):
    """The same, in SQLModel."""

    __tablename__ = "members"
    id: int = Field(primary_key=True)


SESSIONS = [kind for kind in KINDS if "ession" in kind.name or kind.name == "SQLModel"]


@pytest.fixture
def members(database_url: str) -> str:
    """URL of a database with a table in which 1 is taken."""
    rows(database_url, "CREATE TABLE IF NOT EXISTS members (id integer PRIMARY KEY)")
    rows(database_url, "TRUNCATE members")
    rows(database_url, "INSERT INTO members VALUES (1)")
    return database_url


async def flush(kind: Kind, session) -> None:
    if kind.is_async:
        await session.flush()
    else:
        session.flush()


def member(kind: Kind, number: int):
    return (ModelMember if kind.name == "SQLModel" else Member)(id=number)


@pytest.mark.parametrize("kind", SESSIONS, ids=str)
def test_a_failed_flush_takes_the_job_with_it(kind: Kind, members: str):
    async def case():
        async with kind.open(members) as session:
            await kind.enqueue(greet, session, user_id=1)
            session.add(member(kind, 1))
            with pytest.raises(IntegrityError):
                await flush(kind, session)
            await kind.rollback(session)
            session.add(member(kind, 2))
            await kind.enqueue(greet, session, user_id=2)
            await kind.commit(session)

    asyncio.run(case())
    assert [job["args"] for job in jobs(members)] == [{"user_id": 2}]
    assert [row["id"] for row in rows(members, "SELECT id FROM members ORDER BY 1")] == [1, 2]


@pytest.mark.parametrize("kind", SESSIONS, ids=str)
def test_after_a_failed_flush_an_enqueue_is_refused_until_the_rollback(kind: Kind, members: str):
    async def case():
        async with kind.open(members) as session:
            await kind.enqueue(greet, session, user_id=1)
            session.add(member(kind, 1))
            with pytest.raises(IntegrityError):
                await flush(kind, session)
            # The flush has rolled back by itself; a job enqueued now would be in no transaction.
            with pytest.raises((PendingRollbackError, sqlalchemy.exc.InvalidRequestError)):
                await kind.enqueue(greet, session, user_id=2)
            await kind.rollback(session)

    asyncio.run(case())
    assert jobs(members) == []


@pytest.mark.parametrize("kind", SESSIONS, ids=str)
def test_a_failed_flush_in_a_savepoint_takes_the_job_of_the_savepoint_only(kind, members):
    async def duplicate(session):
        async with kind.savepoint(session):
            await kind.enqueue(greet, session, user_id=1)
            session.add(member(kind, 1))
            await flush(kind, session)

    async def case():
        async with kind.open(members) as session:
            await kind.enqueue(greet, session, user_id=2)
            with pytest.raises(IntegrityError):
                await duplicate(session)
            await kind.commit(session)

    asyncio.run(case())
    assert [job["args"] for job in jobs(members)] == [{"user_id": 2}]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_failed_statement_fails_the_enqueue_after_it_too(kind: Kind, members: str):
    async def case():
        async with kind.open(members) as connection:
            await kind.enqueue(greet, connection, user_id=1)
            with pytest.raises(Exception, match="members_pkey"):
                await kind.execute(connection, "INSERT INTO members VALUES (1)")
            with pytest.raises(Exception, match="transaction"):
                await kind.enqueue(greet, connection, user_id=2)
            await kind.rollback(connection)

    asyncio.run(case())
    assert jobs(members) == []
    with psycopg.connect(members) as connection:
        assert greet.enqueue(connection, 3).outcome == "inserted"
