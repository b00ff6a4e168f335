"""Tasks that take several jobs at once: filled, timed, and ended job by job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel

from jobqueue import (
    Batch,
    Cancel,
    ConfigurationError,
    CurrentBatch,
    JobQueue,
    NoCurrentJob,
    Retry,
    Secret,
    Snooze,
    TaskError,
    current_batch,
    current_job,
)
from tests.waiting import auntil
from tests.worker.batching import ONCE, Item, drain
from tests.worker.books import Books
from tests.worker.playing import play, running


class Named(NamedTuple):
    number: int


class Model(BaseModel):
    number: int


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


@pytest.mark.parametrize("pool", ["async", "thread"])
def test_jobs_that_wait_are_taken_together_up_to_the_size(
    books: Books, jobs: JobQueue, pool: str
) -> None:
    taken: list[list[Item]] = []
    if pool == "async":

        @jobs.task(batch=Batch(size=100, wait=0.5))
        async def index(items: list[Item]) -> None:
            taken.append(items)
    else:

        @jobs.task(batch=Batch(size=100, wait=0.5))
        def index(items: list[Item]) -> None:
            taken.append(items)

    with books.connection.transaction():
        for number in range(250):
            index.enqueue(books.connection, number=number)
    drain(books, jobs, queues={"default": 1})
    assert sorted(map(len, taken)) == [50, 100, 100]
    assert sorted(item.number for items in taken for item in items) == list(range(250))
    assert {item.word for items in taken for item in items} == {"word"}
    assert books.states() == {"completed": 250}
    assert {row[0] for row in books.rows("SELECT attempt FROM jobqueue.job_history")} == {1}


def test_a_batch_begins_when_its_wait_is_over_and_gathers_what_comes_meanwhile(
    books: Books, jobs: JobQueue
) -> None:
    began: list[tuple[float, int]] = []

    @jobs.task(batch=Batch(size=1000, wait=0.6))
    async def index(items: list[Item]) -> None:
        began.append((time.monotonic(), len(items)))

    async def scenario() -> float:
        async with running(jobs, books.url):
            await auntil(lambda: books.sleeping() == ["default"], what="it sleeps")
            first = time.monotonic()
            for number in range(10):
                index.enqueue(books.connection, number=number)
                await asyncio.sleep(0.03)
            await auntil(lambda: books.unfinished() == 0, what="all have ended")
            return first

    first = play(scenario())
    assert [count for _, count in began] == [10]
    assert 0.5 < began[0][0] - first < 1.5


def test_one_slot_is_taken_by_a_batch_and_the_others_are_free(books: Books, jobs: JobQueue) -> None:
    @jobs.task(batch=Batch(size=1000, wait=5))
    async def index(items: list[Item]) -> None: ...

    @jobs.task
    async def other() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 2}) as it:
            for number in range(20):
                index.enqueue(books.connection, number=number)
            await auntil(lambda: books.states().get("running") == 20, what="they are collected")
            assert it.worker._runner.lines["default"].running == 1
            another = other.enqueue(books.connection)
            await auntil(lambda: books.state(another) == "completed", what="the other slot works")
            assert books.states()["running"] == 20

    play(scenario())
    # A worker that stops hands back what has not begun.
    assert books.states() == {"available": 20, "completed": 1}
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.jobs") == [(0,)]


def test_each_job_ends_by_its_own_outcome(books: Books, jobs: JobQueue) -> None:
    ends: dict[int, Callable[[], object]] = {
        0: lambda: None,
        1: lambda: {"its": "result"},
        2: lambda: ValueError("no such document"),
        3: lambda: Retry(after=3600),
        4: lambda: Snooze(3600),
        5: lambda: Cancel("not needed"),
    }

    @jobs.task(batch=Batch(size=6, wait=5), returns=True, retry=Retry(attempts=2))
    def index(items: list[Item]) -> list[object]:
        return [ends[item.number]() for item in items]

    made = [
        index.using(attempts=1 if n == 2 else 2).enqueue(books.connection, number=n) for n in ends
    ]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.states().get("running", 0) == 0, what="it ran")
            await auntil(lambda: books.unfinished() == 2, what="it is recorded")

    play(scenario())
    assert [books.state(job) for job in made] == [
        *("completed", "completed", "dead", "scheduled", "scheduled", "cancelled")
    ]
    assert jobs.result(books.connection, made[1], timeout=0) == {"its": "result"}
    assert [books.job(job).attempt for job in made] == [1, 1, 1, 1, 0, 1]
    errors = books.job(made[2]).errors
    assert errors is not None
    assert errors[0]["message"] == "no such document"


def test_what_is_raised_is_the_failure_of_all_each_by_its_own_attempts(
    books: Books, jobs: JobQueue
) -> None:
    @jobs.task(batch=Batch(size=3, wait=5), retry=Retry(backoff=lambda _: 3600))
    async def index(items: list[Item]) -> None:
        raise RuntimeError("the index is down")

    last = index.using(attempts=1).enqueue(books.connection, number=1)
    others = [index.enqueue(books.connection, number=n) for n in (2, 3)]

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(last) == "dead", what="it is dead")

    play(scenario())
    assert [books.state(job) for job in others] == ["scheduled", "scheduled"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([None], "returned 1 outcomes for a batch of 3"),
        ([None] * 4, "returned 4 outcomes for a batch of 3"),
        (7, "returned a int for a batch of 3"),
        ({}, "returned a dict for a batch of 3"),
        ([None, ValueError, None], "the class ValueError as an outcome"),
    ],
)
def test_wrong_outcomes_fail_with_what_is_wrong(
    books: Books, jobs: JobQueue, given: object, said: str
) -> None:
    @jobs.task(batch=Batch(size=3, wait=5), retry=ONCE)
    async def index(items: list[Item]) -> object:
        return given

    with books.connection.transaction():
        for number in range(3):
            index.enqueue(books.connection, number=number)
    drain(books, jobs)
    dead = books.rows("SELECT errors -> 0 ->> 'message' FROM jobqueue.dead_letters")
    assert len(dead) == (1 if isinstance(given, list) and len(given) == 3 else 3)
    assert all(said in message for (message,) in dead)


def test_arguments_that_do_not_fit_fail_their_own_job_only(books: Books, jobs: JobQueue) -> None:
    seen: list[tuple[int, str]] = []

    @jobs.task(batch=Batch(size=3, wait=5))
    async def index(items: list[Item]) -> None:
        numbered = zip(items, current_batch().jobs, strict=True)
        seen.extend((item.number, str(job.id)) for item, job in numbered)

    good = [index.enqueue(books.connection, number=1), index.enqueue(books.connection, number=2)]
    bad = books.value("SELECT job_id FROM jobqueue.enqueue_v1('index', '{\"number\": \"x\"}')")
    drain(books, jobs)
    assert books.state(bad) == "dead"
    assert seen == [(1, str(good[0].id)), (2, str(good[1].id))]


def test_two_tasks_and_two_queues_are_collected_apart(books: Books, jobs: JobQueue) -> None:
    taken: list[tuple[str, int]] = []

    @jobs.task(batch=Batch(size=10, wait=0.3))
    async def one(items: list[Item]) -> None:
        taken.append(("one " + current_batch().jobs[0].queue, len(items)))

    @jobs.task(batch=Batch(size=10, wait=0.3))
    async def two(items: list[Named]) -> None:
        taken.append(("two " + current_batch().jobs[0].queue, len(items)))

    with books.connection.transaction():
        for number in range(8):
            one.enqueue(books.connection, number=number)
            two.enqueue(books.connection, number=number)
            one.using(queue="other").enqueue(books.connection, number=number)
    drain(books, jobs, queues={"default": 4, "other": 4})
    assert sorted(taken) == [("one default", 8), ("one other", 8), ("two default", 8)]


@pytest.mark.parametrize("kind", [Item, Named, Model, dict, dict[str, Any]])
def test_items_are_what_the_annotation_says(books: Books, jobs: JobQueue, kind: Any) -> None:
    got: list[object] = []

    async def index(items) -> None:
        got.extend(items)

    index.__annotations__["items"] = list[kind]
    task = jobs.task(batch=Batch(size=2, wait=0.05))(index)
    task.enqueue(books.connection, number=7)
    drain(books, jobs)
    assert got == [kind(number=7) if kind in {Item, Named, Model} else {"number": 7}]


def test_secrets_of_items_are_hidden_in_what_is_kept_of_a_failure(
    books: Books, jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    @dataclass
    class Account:
        name: str
        token: Annotated[str, Secret]

    async def connect(accounts) -> None:
        raise RuntimeError(f"cannot connect with {[one.token for one in accounts]}")

    connect.__annotations__["accounts"] = list[Account]
    task = jobs.task(batch=Batch(size=2, wait=5), retry=ONCE)(connect)
    with books.connection.transaction():
        for token in ("open-sesame", "abracadabra"):
            task.enqueue(books.connection, name="x", token=token)
    with caplog.at_level(logging.DEBUG):
        drain(books, jobs)
    kept = books.value("SELECT string_agg(errors::text, ' ') FROM jobqueue.dead_letters")
    assert "cannot connect" in kept
    for secret in ("open-sesame", "abracadabra"):
        assert secret not in kept
        assert secret not in caplog.text
    assert books.rows("SELECT DISTINCT args ->> 'token' FROM jobqueue.all_jobs") == [
        ("[redacted]",)
    ]


def test_a_batch_knows_its_jobs_and_a_job_is_none(books: Books, jobs: JobQueue) -> None:
    seen: list[CurrentBatch] = []
    refused: list[type[Exception]] = []

    @jobs.task(batch=Batch(size=2, wait=0.05))
    def index(items: list[Item]) -> None:
        seen.append(current_batch())
        try:
            current_job()
        except NoCurrentJob as error:
            refused.append(type(error))
        for job in current_batch().jobs:
            with job.transaction() as connection:
                connection.execute("SELECT 1")

    made = index.enqueue(books.connection, number=1)
    drain(books, jobs)
    [batch] = seen
    assert (batch.task, [job.id for job in batch.jobs]) == ("index", [made.id])
    assert refused == [NoCurrentJob]
    assert books.value("SELECT count(*)::int FROM jobqueue.processed_ids") == 1
    with pytest.raises(NoCurrentJob):
        current_batch()


def test_direct_calls_take_the_list(jobs: JobQueue) -> None:
    @jobs.task(batch=Batch())
    def total(items: list[Item]) -> int:
        return sum(item.number for item in items)

    assert total([Item(1), Item(2)]) == 3


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"size": 0}, "batch size 0"),
        ({"size": 10_001}, "batch size"),
        ({"size": True}, "batch size"),
        ({"wait": 0}, "batch wait"),
        ({"wait": -1}, "batch wait"),
        ({"wait": 3601}, "batch wait"),
        ({"wait": float("nan")}, "batch wait"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(batch: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Batch(**batch)


def test_a_task_that_cannot_take_a_batch_is_refused(jobs: JobQueue) -> None:
    def of_numbers(items: list[int]) -> None: ...
    def of_nothing(items) -> None: ...
    def of_one(item: Item) -> None: ...
    def of_two(items: list[Item], more: int) -> None: ...

    for function, said in (
        (of_numbers, "annotate 'items' as list"),
        (of_nothing, "annotate 'items' as list"),
        (of_one, "annotate 'item' as list"),
        (of_two, "takes 2 parameters"),
    ):
        with pytest.raises(TaskError, match=said):
            jobs.task(batch=Batch())(function)  # pyright: ignore[reportArgumentType] - refused
    with pytest.raises(ConfigurationError, match="runs no batches"):

        @jobs.task(batch=Batch(), pool="process")
        def computes(items: list[Item]) -> None: ...

    with pytest.raises(ConfigurationError, match="give Batch"):
        jobs.task(batch=100)  # pyright: ignore[reportCallIssue, reportArgumentType] - refused
