"""What is kept for a time is forgotten after it, in small steps; contested jobs are settled."""

from __future__ import annotations

import sys

import pytest

from jobqueue import JobQueue
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.forget import forget
from jobqueue.worker.maintenance.settle import settle
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

PROCESSED = """
INSERT INTO jobqueue.processed_ids (job_id, processed_at)
SELECT gen_random_uuid(), now() - make_interval(days => %s) FROM generate_series(1, %s)
"""
KEYS = """
INSERT INTO jobqueue.idempotency_keys (hash, task, key, job_id, expires_at)
SELECT sha256(convert_to(%s || n, 'UTF8')), 't', %s || n, gen_random_uuid(),
       now() + make_interval(days => %s)
FROM generate_series(1, %s) AS n
"""
THROTTLES = """
INSERT INTO jobqueue.throttles (hash, opens_at)
SELECT sha256(convert_to(%s || n, 'UTF8')), now() + make_interval(days => %s)
FROM generate_series(1, %s) AS n
"""


def kept(books: Books) -> tuple[int, int, int]:
    return tuple(  # type: ignore[return-value]
        books.value(f"SELECT count(*) FROM jobqueue.{table}")
        for table in ("processed_ids", "idempotency_keys", "throttles")
    )


def fill(books: Books, old: int, young: int) -> None:
    books.rows(PROCESSED, [31, old])
    books.rows(PROCESSED, [29, young])
    books.rows(KEYS, ["old", "old", -1, old])
    books.rows(KEYS, ["young", "young", 1, young])
    books.rows(THROTTLES, ["old", -1, old])
    books.rows(THROTTLES, ["young", 1, young])


def steps(books: Books, days: int, *, most: int = 20) -> list[float]:
    """Run the duty as the leader does and give its pauses, until there is nothing left to do."""

    async def scenario() -> list[float]:
        link, duty = Link(books.url, "leader"), forget(days)
        pauses: list[float] = []
        while len(pauses) < most and (not pauses or pauses[-1] < 1):
            pauses.append(await duty(link))
        await link.close()
        return pauses

    return play(scenario())


def test_what_is_old_goes_and_what_is_young_stays(books: Books) -> None:
    fill(books, old=30, young=20)
    assert steps(books, 30) == [60.0]
    assert kept(books) == (20, 20, 20)


def test_much_goes_in_steps_with_pauses_between(books: Books, monkeypatch) -> None:
    # By its name `jobqueue.worker.maintenance.forget` is the function, not the module.
    monkeypatch.setattr(sys.modules[forget.__module__], "BATCH", 10)
    fill(books, old=45, young=5)
    pauses = steps(books, 30)
    assert kept(books) == (5, 5, 5)
    assert pauses[-1] == 60.0
    assert len(pauses) >= 5
    assert set(pauses[:-1]) == {0.1}


def test_one_step_takes_no_more_of_each_table_than_a_batch(books: Books) -> None:
    fill(books, old=45, young=0)
    assert books.value("SELECT jobqueue.prune_keys(now() - interval '30 days', 10)") == 30
    assert kept(books) == (35, 35, 35)


def test_how_long_ids_are_kept_is_the_workers_setting(books: Books) -> None:
    books.rows(PROCESSED, [31, 10])
    books.rows(PROCESSED, [3, 10])
    steps(books, 60)
    assert kept(books)[0] == 20
    steps(books, 30)
    assert kept(books)[0] == 10
    steps(books, 2)
    assert kept(books)[0] == 0


def test_the_leader_forgets_without_being_asked(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task
    def nothing() -> None: ...

    fill(books, old=10, young=3)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: kept(books) == (3, 3, 3), what="the old is gone")

    play(scenario())


def contest(books: Books, key: str) -> None:
    """Make a job whose key was held by another transaction, as an enqueue in a hurry leaves it."""
    books.rows(
        """
        INSERT INTO jobqueue.jobs (
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args, contested)
        VALUES (
            jobqueue.uuid_v7(), now(), now(), 5, 5, 'blocked', 'default', 'nothing', '{}',
            jsonb_build_object('unique_key', %s::text, 'unique_mode', 'skip'))
        """,
        [key],
    )


def settled(books: Books) -> list[float]:
    async def scenario() -> list[float]:
        link = Link(books.url, "leader")
        pauses = [await settle(link)]
        while pauses[-1] == 0.0:
            pauses.append(await settle(link))
        await link.close()
        return pauses

    return play(scenario())


@pytest.mark.parametrize("number", [1, 2, 120])
def test_of_contested_jobs_with_one_key_one_waits_and_the_others_say_why_not(
    books: Books, number: int
) -> None:
    for _ in range(number):
        contest(books, "k")
    pauses = settled(books)
    assert pauses[-1] == 1.0
    assert len(pauses) == 1 + number // 100
    expected = {"available": 1} | ({"cancelled": number - 1} if number > 1 else {})
    assert books.states() == expected
    told = books.rows("SELECT DISTINCT errors -> 0 ->> 'error' FROM jobqueue.job_history")
    assert told == ([("Duplicate",)] if number > 1 else [])


def test_the_leader_settles_and_the_job_runs(books: Books) -> None:
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def nothing() -> None:
        ran.append(1)

    for _ in range(3):
        contest(books, "k")

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all are decided, and one has run")

    play(scenario())
    assert len(ran) >= 1
    assert books.states()["completed"] == len(ran)
