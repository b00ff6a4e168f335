"""Faults in `current_job().transaction()`: lost leases, lost connections, more jobs than those."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jobqueue import JobQueue, LeaseLost, Retry, current_job
from jobqueue.store import maintenance
from jobqueue.store.statement import run
from tests.waiting import auntil, until
from tests.worker.books import Books
from tests.worker.effects import COROUTINE, PLAIN, WAYS, Way, counting, effects, processed
from tests.worker.effects import with_counter as counted
from tests.worker.playing import play, running

both_kinds = pytest.mark.parametrize("way", [PLAIN, COROUTINE], ids=str)
every_way = pytest.mark.parametrize("way", WAYS, ids=str)
AT_ONCE = Retry(attempts=5, backoff=lambda attempt: 0)


@pytest.fixture(autouse=True)
def counter(books: Books) -> None:
    counted(books)


class Gate:
    """Holds the first that comes, in a coroutine or a thread, until it is opened."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.entered = threading.Event()
        self.opened = threading.Event()
        self._first = True

    def __call__(self, _: object = None) -> Any:
        if not self._first:
            return None
        self._first = False
        self.entered.set()
        if self.way.is_async:
            return asyncio.to_thread(self.opened.wait, 20)
        self.opened.wait(20)
        return None


@every_way
def test_a_block_whose_lease_was_lost_is_rolled_back_and_the_other_delivery_counts_once(
    books: Books, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    gate = Gate(way)
    after: list[str] = []
    task = counting(jobs, way, books.url, inside=gate, after=lambda: after.append("over"))
    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=1.5, maintenance=False):
            await auntil(gate.entered.is_set, what="the block is entered")
            # Struck off: it enters the books anew with its next heartbeat, and claims again.
            books.rows("DELETE FROM jobqueue.workers")
            run(books.execute, maintenance.rescue_orphans())
            run(books.execute, maintenance.rescue())
            await auntil(lambda: books.job(job).attempt == 2, what="it is delivered again")
            gate.opened.set()
            await auntil(lambda: books.state(job) == "completed", what="the job completes")
            await auntil(lambda: "its lease was lost" in caplog.text, what="the first is told")

    try:
        play(scenario())
    finally:
        gate.opened.set()
    assert effects(books) == 1
    assert after == ["over"], "the code behind the lost block did not run"
    assert [error["error"] for error in books.job(job).errors or []] == ["WorkerLost"]


@both_kinds
def test_a_lost_lease_is_an_exception_the_handler_sees(books: Books, way: Way) -> None:
    jobs = JobQueue()
    seen: list[str] = []
    take_away = "UPDATE jobqueue.jobs SET lease = nextval('jobqueue.leases')"

    @jobs.task
    async def watching() -> None:
        with pytest.raises(LeaseLost) as lost:
            async with current_job().transaction() as connection:
                await connection.execute("UPDATE counter SET effects = effects + 1")
                books.rows(take_away)
        seen.append(str(lost.value))

    @jobs.task
    def watching_in_a_thread() -> None:
        with pytest.raises(LeaseLost) as lost, current_job().transaction() as connection:
            connection.execute("UPDATE counter SET effects = effects + 1")
            books.rows(take_away)
        seen.append(str(lost.value))

    task = watching if way.is_async else watching_in_a_thread
    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: seen, what="the handler sees it")

    play(scenario())
    assert str(job.id) in seen[0]
    assert (effects(books), processed(books)) == (0, 0)


@every_way
def test_a_connection_that_breaks_in_the_block_costs_an_attempt_and_no_effect(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    gate = Gate(way)
    task = counting(jobs, way, books.url, inside=gate, retry=AT_ONCE)
    job = task.enqueue(books.connection)
    in_block = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
    )

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(gate.entered.is_set, what="the block is entered")
            assert books.rows(in_block) == [(True,)]
            gate.opened.set()
            await auntil(lambda: books.unfinished() == 0, what="the job completes")

    try:
        play(scenario())
    finally:
        gate.opened.set()
    record = books.job(job)
    assert (record.state, record.attempt) == ("completed", 2)
    assert (effects(books), processed(books)) == (1, 1)


@both_kinds
def test_connections_that_broke_while_nobody_used_them_are_replaced(books: Books, way: Way) -> None:
    jobs = JobQueue()
    task = counting(jobs, way, books.url, retry=AT_ONCE)
    first = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(first) == "completed", what="the first completes")
            assert books.cut("jobqueue jobs") == 1
            task.enqueue(books.connection)
            await auntil(lambda: books.unfinished() == 0, what="the second completes")

    play(scenario())
    assert effects(books) == 2


@both_kinds
def test_more_jobs_than_connections_all_finish(books: Books, way: Way) -> None:
    jobs = JobQueue()
    inside = [0]
    most = [0]

    @jobs.task
    async def counting_most() -> None:
        async with current_job().transaction() as connection:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            await connection.execute("UPDATE counter SET effects = effects + 1")
            inside[0] -= 1

    lock = threading.Lock()

    @jobs.task
    def counting_most_in_threads() -> None:
        with current_job().transaction() as connection:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            connection.execute("UPDATE counter SET effects = effects + 1")
            with lock:
                inside[0] -= 1

    task = counting_most if way.is_async else counting_most_in_threads
    task.enqueue_many(books.connection, [{}] * 200)

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"default": 20}, transaction_connections=3):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert effects(books) == 200 == processed(books)
    assert books.states() == {"completed": 200}
    assert 1 < most[0] <= 3
    assert books.value("SELECT max(attempt) FROM jobqueue.job_history") == 1


@both_kinds
def test_a_worker_that_goes_leaves_no_connection_behind(books: Books, way: Way) -> None:
    jobs = JobQueue()
    counting(jobs, way, books.url).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url) as worker:
            await auntil(lambda: books.unfinished() == 0, what="the job completes")
            assert books.connected() > 0
            await worker.stopped()

    play(scenario())
    until(lambda: books.connected() == 0, what="the server has seen them go")


@both_kinds
def test_a_job_that_is_interrupted_in_its_block_is_handed_back_without_an_effect(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    gate = Gate(way)
    job = counting(jobs, way, books.url, inside=gate).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url, grace_seconds=0.1) as worker:
            await auntil(gate.entered.is_set, what="the block is entered")
            assert (await worker.stopped()).interrupted == 1
            gate.opened.set()

    try:
        play(scenario())
    finally:
        gate.opened.set()
    assert (books.state(job), books.job(job).attempt) == ("available", 0)
    assert (effects(books), processed(books)) == (0, 0)


@both_kinds
def test_a_commit_in_the_middle_of_the_block_is_refused(books: Books, way: Way) -> None:
    # It would make the first half of the effects for good, and the job's retry would skip the rest.
    jobs = JobQueue()

    def commit(connection: Any) -> Any:
        return connection.commit()

    task = counting(jobs, way, books.url, inside=commit, retry=Retry(attempts=1))
    job = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) in {"dead", "completed"}, what="the job ends")

    play(scenario())
    [error] = books.job(job).errors or []
    assert error["error"].endswith("ProgrammingError")
    assert (effects(books), processed(books)) == (0, 0)
