"""At most one job of a task waits under a key; each enqueue is told what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from jobqueue import ConfigurationError, Enqueued, JobQueue, Unique
from tests.client.books import jobs, rows
from tests.client.sessions import (
    claimed,
    duplicates,
    settled,
    transaction,
    waiting_jobs,
)

queue = JobQueue()


@queue.task
def index(page: int, text: str = "") -> None: ...


@queue.task
def other(page: int) -> None: ...


SKIP = Unique.skip("k")
REPLACE = Unique.replace("k")
DEBOUNCE = Unique.debounce("k", delay=10, longest=25)
THROTTLE = Unique.throttle("k", window=60)
EACH = [SKIP, REPLACE, DEBOUNCE, THROTTLE]
each = pytest.mark.parametrize("unique", EACH, ids=lambda unique: unique.mode)


def by_page(page: int) -> str:
    return str(page)


def enqueue(url: str, unique: Unique, page: int = 1, **options) -> Enqueued:
    """Enqueue in a transaction of its own."""
    with transaction(url) as connection:
        return index.using(unique=unique, **options).enqueue(connection, page)


def later(url: str, seconds: float) -> None:
    """Make it so much later for every job and every throttle."""
    rows(
        url,
        "UPDATE jobqueue.jobs SET run_at = run_at - make_interval(secs => %s), "
        "enqueued_at = enqueued_at - make_interval(secs => %s)",
        seconds,
        seconds,
    )
    rows(
        url,
        "UPDATE jobqueue.throttles SET opens_at = opens_at - make_interval(secs => %s)",
        seconds,
    )
    rows(
        url,
        "UPDATE jobqueue.jobs SET state = 'available' "
        "WHERE state = 'scheduled' AND run_at <= now()",
    )


def only(url: str) -> dict:
    [job] = waiting_jobs(url)
    return job


def test_skip_keeps_the_job_that_waits_as_it_is(database_url):
    first = enqueue(database_url, SKIP)
    assert enqueue(database_url, SKIP, 2, priority=1) == Enqueued(first.id, "met")
    job = only(database_url)
    assert (job["id"], job["args"], job["priority"]) == (first.id, {"page": 1}, 5)


def test_replace_gives_it_the_new_arguments_options_and_time(database_url):
    first = enqueue(database_url, REPLACE, delay=60)
    changed = {"priority": 1, "queue": "q", "attempts": 2, "delay": 5}
    assert enqueue(database_url, REPLACE, 2, **changed) == Enqueued(first.id, "replaced")
    job = only(database_url)
    assert (job["id"], job["args"]) == (first.id, {"page": 2})
    assert (job["priority"], job["queue"], job["max_attempts"]) == (1, "q", 2)
    wait = job["run_at"] - job["enqueued_at"]
    assert timedelta(seconds=5) <= wait < timedelta(seconds=20)
    assert enqueue(database_url, REPLACE, 3).outcome == "replaced"
    assert only(database_url)["state"] == "available"


def test_debounce_runs_after_the_last_enqueue_with_its_arguments(database_url):
    first = enqueue(database_url, DEBOUNCE)
    job = only(database_url)
    assert job["state"] == "scheduled"
    assert timedelta(seconds=9) < job["run_at"] - job["enqueued_at"] <= timedelta(seconds=10)
    later(database_url, 8)
    assert enqueue(database_url, DEBOUNCE, 2) == Enqueued(first.id, "replaced")
    job = only(database_url)
    assert job["args"] == {"page": 2}
    pushed = job["run_at"] - job["enqueued_at"]
    assert timedelta(seconds=18) <= pushed < timedelta(seconds=20)


def test_debounce_never_waits_longer_than_longest(database_url):
    enqueue(database_url, DEBOUNCE)
    for page in range(2, 6):
        later(database_url, 9)
        if only(database_url)["state"] == "available":
            break
        enqueue(database_url, DEBOUNCE, page)
    job = only(database_url)
    assert job["run_at"] - job["enqueued_at"] == timedelta(seconds=25)
    assert job["args"]["page"] >= 3


def test_debounce_whose_delay_is_above_longest_waits_no_longer_either(database_url):
    try:
        enqueue(database_url, Unique.debounce("k", delay=60, longest=10))
    except ConfigurationError:
        return  # refused: the other good end
    job = only(database_url)
    assert job["run_at"] - job["enqueued_at"] <= timedelta(seconds=10)


def test_throttle_runs_the_first_now_and_then_one_per_window_with_the_last_arguments(database_url):
    assert enqueue(database_url, THROTTLE, 1).outcome == "inserted"
    assert [job.args for job in claimed(database_url, "index")] == ['{"page": 1}']
    second = enqueue(database_url, THROTTLE, 2)
    assert second.outcome == "inserted"
    assert claimed(database_url, "index") == []
    assert enqueue(database_url, THROTTLE, 3) == Enqueued(second.id, "replaced")
    later(database_url, 30)
    assert claimed(database_url, "index") == []
    assert enqueue(database_url, THROTTLE, 4) == Enqueued(second.id, "replaced")
    later(database_url, 31)
    assert [job.args for job in claimed(database_url, "index")] == ['{"page": 4}']
    # The window of the second has begun when it was due.
    enqueue(database_url, THROTTLE, 5)
    assert claimed(database_url, "index") == []
    later(database_url, 62)
    assert [job.args for job in claimed(database_url, "index")] == ['{"page": 5}']


def test_a_throttled_key_that_was_quiet_for_long_runs_at_once(database_url):
    enqueue(database_url, THROTTLE, 1)
    assert len(claimed(database_url, "index")) == 1
    later(database_url, 61)
    enqueue(database_url, THROTTLE, 2)
    assert len(claimed(database_url, "index")) == 1


@each
def test_a_key_is_given_up_when_its_job_is_claimed(database_url, unique):
    first = enqueue(database_url, unique)
    later(database_url, 11)
    assert [job.id for job in claimed(database_url, "index")] == [str(first.id)]
    second = enqueue(database_url, unique, 2)
    assert second.outcome == "inserted"
    assert second.id != first.id


@each
def test_keys_are_of_one_task_and_one_text(connection, database_url, unique):
    index.using(unique=unique).enqueue(connection, 1)
    assert other.using(unique=unique).enqueue(connection, 1).outcome == "inserted"
    assert index.enqueue(connection, 1).outcome == "inserted"
    another = Unique(by_page, unique.mode, unique.window_seconds)
    assert index.using(unique=another).enqueue(connection, 1).outcome == "inserted"
    connection.commit()
    assert len(jobs(database_url)) == 4


@each
def test_a_rollback_undoes_whatever_the_enqueue_did(database_url, unique):
    first = enqueue(database_url, unique)
    before = only(database_url)
    with transaction(database_url) as connection:
        index.using(unique=unique).enqueue(connection, 2)
        connection.rollback()
    assert only(database_url) == before
    assert enqueue(database_url, unique, 3).id == first.id


@each
def test_of_many_concurrent_enqueuers_exactly_one_job_waits_and_each_gets_an_answer(
    database_url, unique
):
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda n: enqueue(database_url, unique, n), range(60)))
    while settled(database_url):
        pass
    job = only(database_url)
    cancelled = duplicates(database_url)
    # Those told `inserted` are the job that waits, or say in history which one they met.
    inserted = {one.id for one in answers if one.outcome == "inserted"}
    assert inserted == {job["id"], *cancelled}
    assert all(str(job["id"]) in message for message in cancelled.values())
    expected = "met" if unique is SKIP else "replaced"
    assert {one.outcome for one in answers} == {"inserted", expected}
    assert {one.id for one in answers if one.outcome == expected} == {job["id"]}


@each
def test_duplicate_keys_in_one_call_make_one_job_and_each_item_is_answered(
    connection, database_url, unique
):
    task = index.using(
        unique=Unique(
            lambda page: str(page % 2), unique.mode, unique.window_seconds, unique.delay_seconds
        )
    )
    answers = task.enqueue_many(connection, [{"page": n} for n in range(6)])
    connection.commit()
    even, odd = answers[0].id, answers[1].id
    assert [one.id for one in answers] == [even, odd] * 3
    expected = "met" if unique is SKIP else "replaced"
    assert [one.outcome for one in answers] == ["inserted"] * 2 + [expected] * 4
    pages = {job["id"]: job["args"]["page"] for job in jobs(database_url)}
    assert pages == ({even: 0, odd: 1} if unique is SKIP else {even: 4, odd: 5})


def test_a_key_function_need_not_take_every_argument_that_is_given(connection):
    task = index.using(unique=Unique.skip(by_page))
    assert task.enqueue(connection, 1, text="a").outcome == "inserted"
    assert task.enqueue(connection, 1, text="b").outcome == "met"


def test_a_key_function_sees_the_defaults_of_what_was_not_given(connection):
    def key(page: int, text: str) -> str:
        return f"{page}-{text}"

    task = index.using(unique=Unique.skip(key))
    assert task.enqueue(connection, 1).outcome == "inserted"
    assert task.enqueue(connection, 1, text="").outcome == "met"
