"""The same idempotency key of the same task changes nothing, until its retention ends."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from jobqueue import ConfigurationError, Enqueued, JobQueue, Unique
from tests.client.books import jobs, rows
from tests.client.sessions import (
    claimed,
    completed,
    duplicates,
    settled,
    transaction,
    waiting_jobs,
)

queue = JobQueue()


@queue.task
def pay(invoice: int, note: str = "") -> None: ...


@queue.task
def refund(invoice: int, note: str = "") -> None: ...


USER = UUID("0190a0a0-0000-7000-8000-0000000000ab")


def by_day(day: date, user: UUID) -> None: ...


def by_number(number: int) -> None: ...


def by_invoice(invoice: int) -> str:
    return str(invoice)


def enqueue(url: str, task=pay, *, invoice: int = 1, **options) -> Enqueued:
    """Enqueue in a transaction of its own."""
    with transaction(url) as connection:
        return task.using(**({"idempotency_key": "k"} | options)).enqueue(connection, invoice)


def test_the_second_enqueue_meets_the_first_and_changes_nothing(database_url):
    first = enqueue(database_url)
    assert first.outcome == "inserted"
    assert enqueue(database_url, invoice=2, priority="critical") == Enqueued(first.id, "met")
    [job] = jobs(database_url)
    assert (job["args"], job["priority"]) == ({"invoice": 1}, 5)


def test_within_one_transaction_too(connection, database_url):
    task = pay.using(idempotency_key="k")
    one, *others = [task.enqueue(connection, n) for n in range(3)]
    connection.commit()
    assert others == [Enqueued(one.id, "met")] * 2
    assert len(jobs(database_url)) == 1


def test_a_running_and_a_completed_job_are_met(database_url):
    first = enqueue(database_url)
    [job] = claimed(database_url, "pay")
    assert enqueue(database_url) == Enqueued(first.id, "met")
    completed(database_url, job)
    assert enqueue(database_url) == Enqueued(first.id, "met")
    assert [job["state"] for job in jobs(database_url)] == ["completed"]


def test_once_the_retention_is_over_the_key_is_free_again(database_url):
    first = enqueue(database_url)
    rows(database_url, "UPDATE jobqueue.idempotency_keys SET expires_at = now()")
    second = enqueue(database_url, invoice=2)
    assert second.outcome == "inserted"
    assert second.id != first.id
    assert enqueue(database_url, invoice=3) == Enqueued(second.id, "met")
    assert [job["args"]["invoice"] for job in jobs(database_url)] == [1, 2]


@pytest.mark.parametrize(
    ("options", "kept"),
    [({}, timedelta(days=30)), ({"idempotency_retention": 90}, timedelta(seconds=90))],
)
def test_a_key_is_kept_as_long_as_it_was_asked_for(database_url, options, kept):
    enqueue(database_url, **options)
    [key] = rows(database_url, "SELECT expires_at - now() AS left FROM jobqueue.idempotency_keys")
    assert kept - timedelta(minutes=1) < key["left"] <= kept


def test_keys_are_of_one_task(database_url):
    assert enqueue(database_url).outcome == "inserted"
    assert enqueue(database_url, refund).outcome == "inserted"


def test_a_rollback_frees_the_key(connection, database_url):
    with connection.transaction(force_rollback=True):
        pay.using(idempotency_key="k").enqueue(connection, 1)
    assert pay.using(idempotency_key="k").enqueue(connection, 2).outcome == "inserted"
    connection.rollback()
    assert enqueue(database_url, invoice=3).outcome == "inserted"
    assert [job["args"]["invoice"] for job in jobs(database_url)] == [3]


def test_of_many_concurrent_enqueuers_one_inserts_and_all_others_meet_its_job(database_url):
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda n: enqueue(database_url, invoice=n), range(48)))
    assert sorted(one.outcome for one in answers) == ["inserted"] + ["met"] * 47
    [job] = jobs(database_url)
    assert {one.id for one in answers} == {job["id"]}


def test_a_key_may_be_made_of_the_arguments(database_url):
    def key(invoice: int, **_: object) -> str:
        return f"invoice {invoice}"

    outcomes = [
        enqueue(database_url, invoice=n, idempotency_key=key).outcome for n in (1, 2, 1, 2, 3)
    ]
    assert outcomes == ["inserted", "inserted", "met", "met", "inserted"]


def test_many_with_keys_of_their_arguments_say_which_job_each_met(connection, database_url):
    task = pay.using(idempotency_key=by_invoice)
    numbers = [1, 2, 1, 3, 2, 1]
    answers = task.enqueue_many(connection, [{"invoice": n} for n in numbers])
    connection.commit()
    by_number = {job["args"]["invoice"]: job["id"] for job in jobs(database_url)}
    assert sorted(by_number) == [1, 2, 3]
    assert [one.id for one in answers] == [by_number[n] for n in numbers]
    assert [one.outcome for one in answers] == ["inserted"] * 2 + ["met", "inserted", "met", "met"]


KEYS = [
    "",
    " ",
    "k" * 10_000,
    "é",
    "e\u0301",
    "\U0001f600",
    "a\nb\t\\",
    "'; --",
    "%s",
    "\u202e",
    "K",
]


@pytest.mark.parametrize("unique", [False, True], ids=["idempotency", "unique"])
def test_any_text_is_a_key_and_no_two_are_the_same(connection, database_url, unique):
    def enqueue_with(key: str) -> str:
        options = {"unique": Unique.skip(key)} if unique else {"idempotency_key": key}
        return pay.using(**options).enqueue(connection, 1).outcome

    assert [enqueue_with(key) for key in KEYS] == ["inserted"] * len(KEYS)
    assert [enqueue_with(key) for key in KEYS] == ["met"] * len(KEYS)
    connection.commit()
    assert len(jobs(database_url)) == len(KEYS)


@pytest.mark.parametrize("unique", [False, True], ids=["idempotency", "unique"])
@pytest.mark.parametrize("key", ["a\x00b", "\ud800", lambda invoice: invoice, lambda invoice: None])
def test_what_cannot_be_a_key_is_refused_before_anything_is_sent(connection, key, unique):
    options = {"unique": Unique.skip(key)} if unique else {"idempotency_key": key}
    with pytest.raises(ConfigurationError, match="key"):
        pay.using(**options).enqueue(connection, 1)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_opposite_order_of_two_keys_neither_deadlocks_nor_makes_two_jobs(database_url):
    one, two = (pay.using(idempotency_key=key) for key in ("one", "two"))
    with transaction(database_url) as left, transaction(database_url) as right:
        one.enqueue(left, 1)
        two.enqueue(right, 2)
        with ThreadPoolExecutor(2) as clients:
            answers = [clients.submit(two.enqueue, left, 3), clients.submit(one.enqueue, right, 4)]
            # One of the two may wait; the other must not, and its commit ends the wait.
            done = next(n for n in (0, 1, 0, 1, 0, 1) if _finished(answers[n]))
            (left, right)[done].commit()
            assert answers[1 - done].result(10).outcome in {"inserted", "met"}
    settled(database_url)
    assert len(waiting_jobs(database_url)) == 2
    kept = {str(job["id"]) for job in waiting_jobs(database_url)}
    for message in duplicates(database_url).values():
        assert message.split()[-1] in kept


def _finished(answer) -> bool:
    try:
        answer.result(2)
    except TimeoutError:
        return False
    return True


def test_a_key_met_by_way_of_a_unique_key_names_the_job_that_exists(connection, database_url):
    waits = pay.using(unique=Unique.skip("u")).enqueue(connection, 1)
    both = pay.using(unique=Unique.skip("u"), idempotency_key="k")
    assert both.enqueue(connection, 2) == Enqueued(waits.id, "met")
    connection.commit()
    again = enqueue(database_url)
    assert again.id in {job["id"] for job in jobs(database_url)}


def test_a_key_is_made_of_what_the_task_will_get(connection):
    seen = []

    def key(day: date, user: UUID) -> str:
        seen.append((day, user))
        return f"{day.isoformat()} {user}"

    keyed = JobQueue().task(idempotency_key=key)(by_day)
    first = keyed.enqueue(connection, date(2026, 1, 2), USER)
    text: Any = str(USER).upper()
    day: Any = "2026-01-02"
    assert keyed.enqueue(connection, day, text) == Enqueued(first.id, "met")
    [again] = keyed.enqueue_many(connection, [{"day": "2026-01-02", "user": str(USER)}])
    assert again.outcome == "met"
    assert set(seen) == {(date(2026, 1, 2), USER)}


def test_a_key_that_cannot_be_made_names_the_item(connection):
    keyed = JobQueue().task(idempotency_key=lambda number: str(1 // number))(by_number)
    with pytest.raises(ZeroDivisionError) as caught:
        keyed.enqueue_many(connection, [{"number": 1}, {"number": 0}])
    assert caught.value.__notes__ == ["item 1 of task 'by_number'"]


def test_an_empty_key_in_many_is_a_key(connection):
    keyed = JobQueue().task(idempotency_key="")(by_number)
    outcomes = [one.outcome for one in keyed.enqueue_many(connection, [{"number": 1}] * 3)]
    assert outcomes == ["inserted", "met", "met"]


@pytest.mark.parametrize("option", [{"unique": "k"}, {"idempotency_key": 42}], ids=str)
def test_what_is_no_key_is_refused_when_the_task_is_registered(option):
    with pytest.raises(ConfigurationError, match="wrong type"):
        JobQueue().task(**option)(by_number)


def test_functions_that_made_a_key_are_let_go(connection):
    task = JobQueue().task(by_number)

    class Large:
        pass

    def enqueue_once() -> weakref.ref[Large]:
        large = Large()
        task.using(idempotency_key=lambda number: f"{number} {large}").enqueue(connection, 1)
        return weakref.ref(large)

    left = [enqueue_once() for _ in range(1_000)]
    gc.collect()
    assert sum(one() is not None for one in left) == 0
