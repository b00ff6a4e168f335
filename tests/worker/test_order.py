"""How many jobs run at once, in which order, and who waits for whom."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from jobqueue import JobQueue, Priority
from jobqueue.store import claims
from jobqueue.store.claims import Claimed
from jobqueue.store.statement import Statement
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


class Gauge:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_a_queue_never_runs_more_than_its_concurrency_and_uses_all_of_it(
    books: Books, kind: str
) -> None:
    jobs = JobQueue()
    gauges = {"narrow": Gauge(), "wide": Gauge()}

    def work(queue: str) -> None:
        with gauges[queue]:
            time.sleep(0.002)

    async def work_async(queue: str) -> None:
        with gauges[queue]:
            await asyncio.sleep(0.002)

    task = jobs.task(name="work")(work_async if kind == "coroutine" else work)
    for queue in gauges:
        task.using(queue=queue).enqueue_many(books.connection, [{"queue": queue}] * 200)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"narrow": 2, "wide": 7}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert {queue: gauge.most for queue, gauge in gauges.items()} == {"narrow": 2, "wide": 7}


def test_one_slot_takes_jobs_by_priority_and_within_a_level_first_in_first_out(
    books: Books,
) -> None:
    jobs = JobQueue()
    ran: list[str] = []

    @jobs.task
    async def note(name: str) -> None:
        ran.append(name)
        await asyncio.sleep(0)

    levels = [Priority.LOW, Priority.NORMAL, Priority.CRITICAL, 0, -5]
    for number in range(10):
        for level in levels:
            note.using(priority=level).enqueue(books.connection, f"{level:d}/{number}")

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert ran == [f"{level}/{number}" for level in (-5, 0, 1, 5, 10) for number in range(10)]


def test_many_jobs_of_one_level_start_in_the_order_they_were_enqueued(books: Books) -> None:
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def note(number: int) -> None:
        ran.append(number)

    # Several batches of a claim, enqueued in one statement and one by one.
    note.enqueue_many(books.connection, [{"number": number} for number in range(1500)])
    for number in range(1500, 1550):
        note.enqueue(books.connection, number)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 1}):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert ran == list(range(1550))


def test_a_long_job_does_not_delay_short_ones_while_a_slot_is_free(books: Books) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        release = asyncio.Event()

        @jobs.task
        async def long() -> None:
            await release.wait()

        @jobs.task
        async def short() -> None: ...

        slow = long.enqueue(books.connection)
        short.enqueue_many(books.connection, [{}] * 400)
        async with running(jobs, books.url, queues={"default": 2}):
            await auntil(lambda: books.states().get("completed") == 400, what="the short ones end")
            assert books.state(slow) == "running"
            release.set()
            await auntil(lambda: books.unfinished() == 0, what="the long one ends")

    play(scenario())


def test_a_busy_queue_does_not_delay_another(books: Books) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        release = asyncio.Event()

        @jobs.task(queue="busy")
        async def long() -> None:
            await release.wait()

        @jobs.task(queue="quick")
        async def short() -> None: ...

        long.enqueue_many(books.connection, [{}] * 5)
        short.enqueue_many(books.connection, [{}] * 50)
        async with running(jobs, books.url, queues={"busy": 2, "quick": 2}):
            await auntil(lambda: books.states().get("completed") == 50, what="the short ones end")
            assert books.states() == {"completed": 50, "running": 2, "available": 3}
            release.set()
            await auntil(lambda: books.unfinished() == 0, what="the long ones end")

    play(scenario())


def test_queues_that_are_empty_are_not_looked_through_at_every_claim_of_a_flooded_one(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobQueue()
    claimed: list[list[str]] = []
    real = claims.claim

    def claim(worker: int, limits: dict[str, int], *rest: Any) -> Statement[Claimed]:
        claimed.append(list(limits))
        return real(worker, limits, *rest)

    monkeypatch.setattr(claims, "claim", claim)

    @jobs.task
    async def note() -> None: ...

    async def scenario() -> None:
        note.enqueue_many(books.connection, [{}] * 5_000)
        late = note.using(queue="quiet")
        async with running(jobs, books.url, queues={"default": 10, "quiet": 10}):
            await auntil(lambda: books.states().get("completed", 0) > 0, what="the first ones end")
            late.enqueue(books.connection)
            await auntil(lambda: books.states() == {"completed": 5_001}, what="all jobs end")

    play(scenario())
    assert ["default"] in claimed


def test_workers_share_what_is_in_a_small_queue(books: Books) -> None:
    jobs = JobQueue()
    total = 400

    @jobs.task
    async def note() -> None:
        await asyncio.sleep(0.001)

    async def scenario() -> None:
        async with running(jobs, books.url), running(jobs, books.url):
            await auntil(lambda: len(books.sleeping()) == 2, what="both sleep")
            note.enqueue_many(books.connection, [{}] * total)
            await auntil(lambda: books.states() == {"completed": total}, what="all jobs end")

    play(scenario())
    shares = books.rows("SELECT count(*) FROM jobqueue.job_history GROUP BY worker_id")
    assert min(shares) >= (total // 4,)
    assert len(shares) == 2


def test_jobs_in_hand_behind_a_long_one_are_handed_back_for_another_worker(books: Books) -> None:
    first, second = JobQueue(), JobQueue()
    ran_by: dict[str, list[int]] = {"first": [], "second": []}

    async def scenario() -> None:
        release, stuck = asyncio.Event(), asyncio.Event()

        @first.task
        async def work(number: int) -> None:
            if number == 300:
                stuck.set()
                await release.wait()
            ran_by["first"].append(number)

        @second.task(name="work")
        async def work_elsewhere(number: int) -> None:
            ran_by["second"].append(number)

        # Short jobs teach the worker to claim far ahead; then comes one that is not short.
        work.enqueue_many(books.connection, [{"number": number} for number in range(1000)])
        async with running(first, books.url, queues={"default": 1}):
            await stuck.wait()
            assert books.states()["running"] > 1, "it has claimed ahead"
            await auntil(
                lambda: books.states()["running"] == 1, what="what is in hand is handed back"
            )
            uncounted = books.rows(
                "SELECT DISTINCT attempt, errors FROM jobqueue.jobs WHERE state = 'available'"
            )
            assert uncounted == [(0, None)]
            async with running(second, books.url, queues={"default": 1}):
                await auntil(lambda: books.unfinished() == 1, what="another runs the others")
            release.set()
            await auntil(lambda: books.unfinished() == 0, what="the long one ends")

    play(scenario())
    assert ran_by == {"first": list(range(301)), "second": list(range(301, 1000))}
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history") == [(1,)]


def test_a_job_is_left_alone_and_warned_about_when_its_task_is_not_known(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    @jobs.task
    async def known() -> None: ...

    [unknown] = books.rows("SELECT job_id FROM jobqueue.enqueue_v1('resize_image')")[0]
    for _ in range(3):
        known.enqueue(books.connection)

    def warned() -> list[str]:
        return [line for line in caplog.messages if "'resize_image': not registered" in line]

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=0.6):
            await auntil(warned, what="the worker warns")
            await auntil(lambda: books.states().get("completed") == 3, what="the others complete")

    play(scenario())
    record = books.job(unknown)
    assert (record.state, record.attempt, record.errors) == ("available", 0, None)
    assert len(warned()) == 1, "once is enough"
    assert "--import" in warned()[0]


def test_a_job_left_by_one_worker_is_run_by_another_that_knows_its_task(books: Books) -> None:
    ignorant, knowing = JobQueue(), JobQueue()
    ran: list[str] = []

    @ignorant.task
    async def other() -> None: ...

    @knowing.task
    async def wanted() -> None:
        ran.append("wanted")

    job = wanted.enqueue(books.connection)

    async def scenario() -> None:
        async with (
            running(ignorant, books.url),
            running(knowing, books.url),
        ):
            await auntil(lambda: books.state(job) == "completed", what="the job completes")

    play(scenario())
    assert ran == ["wanted"]
    assert books.job(job).attempt == 1
