"""Roles that may only enqueue, only read, or only work, and what each of them may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import psycopg
import pytest

from jobqueue import JobQueue, Secret, Unique
from jobqueue.store.grants import Purpose, grant, grants
from tests.store.roles import connected_as
from tests.store.steps import claim, enqueue, register

TABLES = [
    "jobs", "job_history", "dead_letters", "workers", "tasks", "queues", "all_jobs", "dead_jobs",
    "processed_ids", "idempotency_keys", "throttles", "cancel_requests", "alembic_version",
]  # fmt: skip

ODD_NAMES = ['with "quotes"', "with a space", "back\\slash", "per%cent", "br{ace}", "Über; DROP"]


@pytest.fixture
def enqueuer(database_url: str) -> Iterator[psycopg.Connection]:
    with connected_as(database_url, Purpose.ENQUEUE) as it:
        yield it


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg.Connection]:
    with connected_as(database_url, Purpose.READ) as it:
        yield it


@pytest.fixture
def application() -> JobQueue:
    jobs = JobQueue()

    @jobs.task(name="work")
    def work(n: int = 0) -> None: ...

    return jobs


def counted(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM jobqueue.jobs").fetchone()
    assert row is not None
    return row[0]


def test_a_role_for_enqueue_enqueues_in_every_way(enqueuer, session, application):
    work = application.tasks["work"]
    assert work.enqueue(enqueuer, 1).outcome == "inserted"
    assert len(work.enqueue_many(enqueuer, [{"n": n} for n in range(3)])) == 3
    keyed = work.using(idempotency_key="once", unique=Unique.replace("one"))
    first, second = keyed.enqueue(enqueuer), keyed.enqueue(enqueuer)
    assert (first.id, second.outcome) == (second.id, "met")
    replaced = work.using(unique=Unique.replace("two"))
    assert [replaced.enqueue(enqueuer, n).outcome for n in (1, 2)] == ["inserted", "replaced"]
    assert work.using(job_id=first.id).enqueue(enqueuer).outcome == "met"
    assert counted(session) == 6


def test_a_role_for_enqueue_falls_back_from_copy_in_bulk(enqueuer, session, application):
    with enqueuer.transaction():
        done = application.tasks["work"].enqueue_bulk(enqueuer, ({"n": n} for n in range(25_000)))
    assert done == 25_000 == counted(session)


@pytest.mark.parametrize("table", TABLES)
def test_a_role_for_enqueue_reads_no_job_and_no_key(enqueuer, table):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        enqueuer.execute(f"SELECT FROM jobqueue.{table}".encode())


@pytest.mark.parametrize(
    "call",
    [
        "jobqueue.cancel_v1('{id}')",
        "jobqueue.cancel_v2('{id}')",
        "jobqueue.give_timeout('{id}', 'inserted', 1)",
        "jobqueue.retry_v1('{id}')",
        "jobqueue.settle_contested(10)",
        "jobqueue.prune_keys(now(), 10)",
        "jobqueue.drop_history_partitions(now())",
        "jobqueue.make_history_partitions()",
    ],
)
@pytest.mark.parametrize("purpose", [Purpose.ENQUEUE, Purpose.READ])
def test_who_may_not_work_changes_nothing_by_function(database_url, session, purpose, call):
    job_id = enqueue(session)
    with connected_as(database_url, purpose) as one:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            one.execute(f"SELECT {call.format(id=job_id)}".encode())
        for change in ("UPDATE jobqueue.jobs SET state = 'running'", "DELETE FROM jobqueue.jobs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                one.execute(change.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            register(one)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            claim(one, 1)
    assert counted(session) == 1


def test_a_role_for_reading_sees_jobs_with_secrets_hidden(reader, session):
    jobs = JobQueue()

    @jobs.task(name="login")
    def login(user: str, password: Annotated[str, Secret]) -> None: ...

    session.execute(
        "INSERT INTO jobqueue.tasks (name, queue, priority, max_attempts, secrets) "
        "VALUES ('login', 'default', 5, 5, %s)",
        [login.signature.secrets],
    )
    login.enqueue(session, "ann", "hunter2")
    [(args, state)] = reader.execute("SELECT args, state FROM jobqueue.all_jobs").fetchall()
    assert (args, state) == ({"user": "ann", "password": "[redacted]"}, "available")
    assert reader.execute("SELECT id, state, errors FROM jobqueue.jobs").fetchall()
    for table in ("jobs", "job_history", "dead_letters"):
        for columns in ("args", "*"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT {columns} FROM jobqueue.{table}".encode())


def test_a_role_for_reading_cannot_enqueue(reader):
    for call in ("enqueue_v1('t')", "enqueue_many_v1('t', '[{}]')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT jobqueue.{call}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        enqueue(reader)


def test_a_role_without_rights_can_do_nothing(database_url):
    with connected_as(database_url, None) as stranger:
        for call in ("jobqueue.enqueue_v1('t')", "count(*) FROM jobqueue.all_jobs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute(f"SELECT {call}".encode())


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("prefix", ODD_NAMES)
def test_any_role_name_is_quoted(database_url, prefix, purpose):
    with connected_as(database_url, purpose, prefix=prefix) as one:
        assert one.execute("SELECT version FROM jobqueue.schema_version").fetchone()


def test_the_printed_rights_name_the_role_in_quotes():
    text = grants('a "b" c', Purpose.ENQUEUE).as_string()
    assert text.count('TO "a ""b"" c"') == text.count(";") == 5


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_role_that_does_not_exist_is_given_nothing(session, purpose):
    with pytest.raises(psycopg.errors.UndefinedObject, match="nobody_of_this_name"):
        grant(session, "nobody_of_this_name", purpose)


def test_rights_may_be_given_twice(database_url, session):
    with connected_as(database_url, Purpose.WORKER) as one:
        grant(session, one.info.user, Purpose.WORKER)


TRAPS = """
CREATE SCHEMA trap;
CREATE FUNCTION trap.length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1/0';
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT (1/0)::text::timestamptz';
CREATE FUNCTION trap.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT 1/0';
CREATE FUNCTION trap.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT (1/0)::text::bytea';
CREATE FUNCTION trap.gt(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql
    AS 'SELECT 1/0 = 1';
CREATE OPERATOR trap.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = trap.gt);
GRANT USAGE ON SCHEMA trap TO PUBLIC;
"""


def test_what_lies_on_the_callers_search_path_does_not_matter(enqueuer, session):
    session.execute(TRAPS)
    try:
        enqueuer.execute("SET search_path = trap, pg_catalog")
        enqueuer.execute("SELECT jobqueue.enqueue_v1('t', idempotency_key => 'k')")
        enqueuer.execute("SELECT jobqueue.enqueue_v1('t', unique_key => 'u', delay => '1 h')")
        enqueuer.execute("SELECT jobqueue.enqueue_v1('t')")
        enqueuer.execute("SELECT jobqueue.enqueue_many_v1('t', '[{}]')")
    finally:
        session.execute("DROP SCHEMA trap CASCADE")
    assert counted(session) == 4


# A type of the caller's own that bears a built-in's name, with code of the caller's behind it.
TEMPORARY_TRAP = """
CREATE FUNCTION pg_temp.spring(value pg_catalog.{name}) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the code of the caller runs as %', current_user;
END $$;
CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.spring(VALUE));
"""


@pytest.mark.parametrize("name", ["text", "uuid", "jsonb", "timestamptz", "bytea"])
@pytest.mark.parametrize(
    "call",
    [
        "enqueue_v1('t', '{}'::pg_catalog.jsonb, id => pg_catalog.gen_random_uuid())",
        "enqueue_v1('t', idempotency_key => 'k', unique_key => 'u')",
        "enqueue_many_v1('t', '[{}]', unique_keys => '{u}')",
        "redact('t', '{}')",
        "task_defaults('t', NULL, NULL, NULL)",
    ],
)
def test_code_of_the_caller_never_runs_with_the_owners_rights(enqueuer, name, call):
    enqueuer.execute(TEMPORARY_TRAP.format(name=name).encode())
    enqueuer.execute(f"SELECT jobqueue.{call}".encode())
