"""Unique keys while transactions are open: nobody deadlocks, nobody's transaction breaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from jobqueue import JobQueue, Unique
from tests import waiting
from tests.client.books import rows
from tests.client.sessions import (
    claimed,
    duplicates,
    settled,
    transaction,
    waiting_jobs,
)

queue = JobQueue()


@queue.task
def index(page: int) -> None: ...


def skip(key: str) -> Unique:
    return Unique.skip(key)


def debounce(key: str) -> Unique:
    return Unique.debounce(key, delay=10, longest=60)


def throttle(key: str) -> Unique:
    return Unique.throttle(key, window=60)


EACH = [skip, Unique.replace, debounce, throttle]
each = pytest.mark.parametrize("unique", EACH, ids=["skip", "replace", "debounce", "throttle"])
strict = pytest.mark.parametrize(
    "isolation", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]
)


def by_page(page: int) -> str:
    return str(page)


def one(url: str, unique: Unique, page: int = 1):
    with transaction(url) as connection:
        return index.using(unique=unique).enqueue(connection, page)


@each
def test_the_job_that_was_met_is_not_claimed_before_the_meeting_transaction_ends(
    database_url, unique
):
    one(database_url, unique("k"))
    rows(database_url, "UPDATE jobqueue.jobs SET run_at = now(), state = 'available'")
    with transaction(database_url) as connection:
        assert index.using(unique=unique("k")).enqueue(connection, 2).outcome != "inserted"
        assert claimed(database_url, "index") == []
    rows(database_url, "UPDATE jobqueue.jobs SET run_at = now(), state = 'available'")
    assert len(claimed(database_url, "index")) == 1


@each
def test_opposite_order_of_two_keys_commits_both_and_leaves_one_job_each(database_url, unique):
    first, second = (index.using(unique=unique(key)) for key in ("first", "second"))
    with (
        transaction(database_url) as left,
        transaction(database_url) as right,
        ThreadPoolExecutor(2) as clients,
    ):
        first.enqueue(left, 1)
        second.enqueue(right, 2)
        sessions = [left, right]
        answers = [clients.submit(second.enqueue, left, 3), clients.submit(first.enqueue, right, 4)]
        # Whoever does not wait commits; that ends the other's wait.
        waiting.until(lambda: any(a.done() for a in answers), what="one has its answer")
        done = 0 if answers[0].done() else 1
        answers[done].result()
        sessions[done].commit()
        answers[1 - done].result(15)
        sessions[1 - done].commit()
    while settled(database_url):
        pass
    left_over = waiting_jobs(database_url)
    assert sorted(job["unique_key"] for job in left_over) == ["first", "second"]
    ids = {str(job["id"]) for job in left_over}
    assert all(message.split()[-1] in ids for message in duplicates(database_url).values())


def test_a_job_whose_key_was_held_does_not_run_before_that_is_settled_and_is_not_lost_if_the_holder_rolls_back(  # noqa: E501
    database_url,
):
    met = one(database_url, skip("k"))
    with transaction(database_url) as holder:
        index.using(unique=skip("k")).enqueue(holder, 2)
        contested = one(database_url, Unique.replace("k"), 3)
        assert contested.outcome == "inserted"
        assert claimed(database_url, "index") == []
        assert settled(database_url) == 0
        holder.rollback()
    assert settled(database_url) == 1
    [job] = waiting_jobs(database_url)
    assert (job["id"], job["args"]) == (met.id, {"page": 3})
    assert list(duplicates(database_url)) == [contested.id]


def test_a_contested_job_runs_itself_when_nothing_waits_any_more(database_url):
    one(database_url, skip("k"))
    with transaction(database_url) as holder:
        index.using(unique=skip("k")).enqueue(holder, 2)
        contested = one(database_url, Unique.replace("k"), 3)
    assert len(claimed(database_url, "index")) == 1
    assert settled(database_url) == 1
    assert [job.id for job in claimed(database_url, "index")] == [str(contested.id)]
    assert duplicates(database_url) == {}


def test_a_contested_job_with_both_keys_is_not_lost(database_url):
    one(database_url, skip("k"))
    both = index.using(unique=Unique.replace("k"), idempotency_key="once")
    with transaction(database_url) as holder:
        index.using(unique=skip("k")).enqueue(holder, 2)
        with transaction(database_url) as connection:
            both.enqueue(connection, 3)
    assert len(claimed(database_url, "index")) == 1
    assert settled(database_url) == 1
    assert [job.args for job in claimed(database_url, "index")] == ['{"page": 3}']


def test_far_more_keys_than_a_transaction_may_lock_do_not_deadlock_either(database_url):
    many = index.using(unique=Unique.skip(by_page))
    first, second = (index.using(unique=skip(key)) for key in ("first", "second"))
    with transaction(database_url) as left, transaction(database_url) as right:
        many.enqueue_many(left, [{"page": n} for n in range(600)])
        many.enqueue_many(right, [{"page": -1 - n} for n in range(600)])
        first.enqueue(left, 1)
        second.enqueue(right, 2)
        with ThreadPoolExecutor(2) as clients:
            sessions = [left, right]
            answers = [
                clients.submit(second.enqueue, left, 3),
                clients.submit(first.enqueue, right, 4),
            ]
            waiting.until(lambda: any(a.done() for a in answers), what="one has its answer")
            done = 0 if answers[0].done() else 1
            answers[done].result()
            sessions[done].commit()
            answers[1 - done].result(15)
    while settled(database_url):
        pass
    keys = [job["unique_key"] for job in waiting_jobs(database_url)]
    assert len(keys) == len(set(keys)) == 1202


@each
@strict
def test_with_an_older_snapshot_an_enqueue_works_or_says_to_try_again(
    database_url, unique, isolation
):
    def attempt(connection: Any, meddle: bool) -> str:
        connection.execute("SELECT count(*) FROM jobqueue.jobs")  # the snapshot is taken
        if meddle:
            one(database_url, unique("k"), 1)
        return index.using(unique=unique("k")).enqueue(connection, 2).outcome

    with transaction(database_url, isolation=isolation) as connection:
        with pytest.raises(psycopg.errors.SerializationFailure):
            attempt(connection, meddle=True)
        connection.rollback()
        assert attempt(connection, meddle=False) in {"met", "replaced"}
    assert len(waiting_jobs(database_url)) == 1


@strict
def test_an_idempotency_key_under_an_older_snapshot_says_to_try_again(database_url, isolation):
    task = index.using(idempotency_key="k")
    with transaction(database_url, isolation=isolation) as connection:
        connection.execute("SELECT count(*) FROM jobqueue.jobs")
        with transaction(database_url) as meddler:
            first = task.enqueue(meddler, 1)
        with pytest.raises(psycopg.errors.SerializationFailure):
            task.enqueue(connection, 2)
        connection.rollback()
        assert task.enqueue(connection, 2).id == first.id
    assert len(waiting_jobs(database_url)) == 1


@strict
def test_alone_each_isolation_level_serves(database_url, isolation):
    with transaction(database_url, isolation=isolation) as connection:
        for make in EACH:
            task = index.using(unique=make(make.__name__), idempotency_key=make.__name__)
            assert task.enqueue(connection, 1).outcome == "inserted"
        index.enqueue_many(connection, [{"page": 1}])
        index.enqueue_bulk(connection, [{"page": 1}])
    assert len(waiting_jobs(database_url)) == 6


def test_a_transaction_in_failed_state_says_so_and_keeps_nothing(database_url):
    with transaction(database_url) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        for way in (index.enqueue, index.using(unique=skip("k")).enqueue):
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                way(connection, 1)
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            index.enqueue_bulk(connection, [{"page": 1}])
        connection.rollback()
    assert waiting_jobs(database_url) == []


def test_a_read_only_transaction_says_so(database_url):
    ways = [
        lambda connection: index.enqueue(connection, 1),
        lambda connection: index.using(unique=skip("k")).enqueue(connection, 1),
        lambda connection: index.using(idempotency_key="k").enqueue(connection, 1),
        lambda connection: index.enqueue_many(connection, [{"page": 1}]),
        lambda connection: index.enqueue_bulk(connection, [{"page": 1}]),
    ]
    with transaction(database_url) as connection:
        connection.read_only = True
        for way in ways:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                way(connection)
            connection.rollback()
    assert waiting_jobs(database_url) == []
