"""Transactions of jobs whose worker was lost are ended; those of others never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from jobqueue.store import maintenance, processed, workers
from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.rescue import Rescue
from tests.store.roles import role, url_of
from tests.store.steps import claim, do, enqueue, expire, register
from tests.waiting import until
from tests.worker.playing import play


@pytest.fixture
def sessions(database_url: str) -> Iterator[list[psycopg.Connection]]:
    opened: list[psycopg.Connection] = []
    yield opened
    for connection in opened:
        connection.close()


@contextmanager
def in_its_block(url: str, session: psycopg.Connection, worker: int) -> Iterator[int]:
    """Let a worker's job begin its transaction, and give the server's process for it."""
    enqueue(session)
    [job] = claim(session, worker)
    with psycopg.connect(to_conninfo(url)) as connection:
        [begun] = do(connection, processed.begin(job))
        assert begun[:3] == (False, True, True)
        try:
            yield connection.info.backend_pid
        finally:
            connection.close()


def alive(session: psycopg.Connection, pid: int) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    return session.execute(query, [pid]).fetchone() == (True,)


def end(session: psycopg.Connection) -> int:
    return len(do(session, maintenance.end_transactions()))


def test_that_of_a_live_worker_is_left_alone(database_url, session):
    with in_its_block(database_url, session, register(session)) as pid:
        assert end(session) == 0
        assert alive(session, pid)


def test_that_of_an_expired_worker_is_ended(database_url, session):
    worker = register(session)
    with in_its_block(database_url, session, worker) as pid:
        expire(session, worker)
        assert end(session) == 1
        until(lambda: not alive(session, pid), what="it has ended")


def test_that_of_a_worker_struck_off_is_ended_though_a_live_one_bears_its_name(
    database_url, session
):
    with (
        in_its_block(database_url, session, register(session, "pod-0:1")) as lost,
        in_its_block(database_url, session, heir := register(session, "pod-0:1")) as kept,
    ):
        [first, second] = do(session, workers.list_workers())
        assert (first.name, second.id) == (second.name, heir)
        do(session, workers.leave(first.id))
        assert end(session) == 1
        until(lambda: not alive(session, lost), what="it has ended")
        assert alive(session, kept)


def test_a_session_bears_its_workers_number_no_longer_than_the_transaction_lasts(
    database_url, session
):
    worker = register(session)
    enqueue(session)
    [job] = claim(session, worker)
    with psycopg.connect(to_conninfo(database_url, application_name="shop")) as connection:
        for ends in (connection.commit, connection.rollback):
            do(connection, processed.begin(job))
            names = "SELECT current_setting('application_name')"
            assert connection.execute(names).fetchone() == (f"jobqueue job {worker}",)
            ends()
            assert connection.execute(names).fetchone() == ("shop",)
            connection.rollback()
        expire(session, worker)
        assert end(session) == 0
        assert alive(session, connection.info.backend_pid)


@pytest.mark.parametrize("name", ["jobqueue jobs", "jobqueue job ", "jobqueue job x", "my jobs"])
def test_sessions_of_other_names_are_left_alone(database_url, session, name):
    with psycopg.connect(to_conninfo(database_url, application_name=name)) as other:
        other.execute("SELECT 1")
        assert end(session) == 0
        assert alive(session, other.info.backend_pid)


def test_sessions_of_other_roles_and_databases_are_left_alone(
    database_url, empty_database_url, session
):
    name = "jobqueue job 4711"
    with (
        role(database_url, Purpose.WORKER) as other,
        psycopg.connect(url_of(database_url, other), application_name=name) as of_role,
        psycopg.connect(to_conninfo(empty_database_url), application_name=name) as elsewhere,
    ):
        assert end(session) == 0
        assert alive(session, of_role.info.backend_pid)
        assert alive(session, elsewhere.info.backend_pid)
        of_role.close()


def test_a_role_that_may_not_end_sessions_rescues_all_the_same_and_says_so_once(
    database_url, session, caplog
):
    async def rescue_twice(url: str) -> None:
        link, duty = Link(url, "leader"), Rescue()
        try:
            for _ in range(2):
                await duty(link)
        finally:
            await link.close()

    worker = register(session)
    expire(session, worker)
    session.execute("REVOKE EXECUTE ON FUNCTION pg_terminate_backend FROM PUBLIC")
    try:
        with role(database_url, Purpose.WORKER) as name:
            play(rescue_twice(url_of(database_url, name)))
    finally:
        session.execute("GRANT EXECUTE ON FUNCTION pg_terminate_backend TO PUBLIC")
    assert do(session, workers.list_workers()) == []
    assert caplog.text.count("cannot end the transactions of lost workers") == 1


def test_a_role_with_the_rights_of_a_worker_ends_its_own(database_url, session):
    worker = register(session)
    enqueue(session)
    [job] = claim(session, worker)
    expire(session, worker)
    with role(database_url, Purpose.WORKER) as name:
        url = url_of(database_url, name)
        with psycopg.connect(url) as lost, psycopg.connect(url, autocommit=True) as leader:
            do(lost, processed.begin(job))
            assert end(leader) == 1
            until(lambda: not alive(session, lost.info.backend_pid), what="it has ended")
            lost.close()
