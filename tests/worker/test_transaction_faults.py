"""Faults in `current_job().transaction()`: lost leases, lost connections, more jobs than those."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Any

import psycopg
import pytest

from jobqueue import JobQueue, LeaseLost, Retry, current_job
from jobqueue.store import maintenance
from jobqueue.store import processed as processed_ids
from jobqueue.store.claims import Claimed
from jobqueue.store.database import executor, to_conninfo
from jobqueue.store.jobs import Enqueued
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
    caplog.set_level(logging.INFO, logger="jobqueue.worker")
    jobs = JobQueue()
    gate = Gate(way)
    after: list[str] = []
    task = counting(jobs, way, books.url, inside=gate, after=lambda: after.append("over"))
    job = task.enqueue(books.connection)

    def over_soon() -> bool:
        run(books.execute, maintenance.promote(1))
        return books.state(job) == "completed"

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=1.5, maintenance=False):
            await auntil(gate.entered.is_set, what="the block is entered")
            # Struck off: it enters the books anew with its next heartbeat, and claims again.
            books.rows("DELETE FROM jobqueue.workers")
            run(books.execute, maintenance.rescue_orphans())
            run(books.execute, maintenance.rescue())
            # The second delivery does not wait for the first: it is put off, time and again.
            for _ in range(2):
                await auntil(lambda: books.state(job) == "scheduled", what="it is put off")
                assert books.job(job).attempt == 1, "being put off counted as an attempt"
                books.rows("UPDATE jobqueue.jobs SET run_at = now()")
                run(books.execute, maintenance.promote(1))
            gate.opened.set()
            await auntil(over_soon, what="the job completes")
            await auntil(lambda: "its lease was lost" in caplog.text, what="the first is told")
            await auntil(lambda: after == ["over"], what="the code behind the second block has run")

    try:
        play(scenario())
    finally:
        gate.opened.set()
    assert effects(books) == 1
    assert after == ["over"], "the code behind the lost block ran"
    assert [error["error"] for error in books.job(job).errors or []] == ["WorkerLost"]
    told = [record for record in caplog.records if "another delivery of it" in record.message]
    assert {record.levelname for record in told} == {"INFO"}
    assert 2 <= len(told) <= 3, "one line for each time"


@both_kinds
def test_a_task_that_swallows_that_it_is_put_off_is_not_completed(books: Books, way: Way) -> None:
    # The delivery in the middle can be one that never commits.
    jobs = JobQueue()
    tries: list[str] = []

    @jobs.task
    async def deaf() -> None:
        tries.append("try")
        with contextlib.suppress(Exception):
            async with current_job().transaction() as connection:
                await connection.execute("UPDATE counter SET effects = effects + 1")

    @jobs.task
    def deaf_in_a_thread() -> None:
        tries.append("try")
        with contextlib.suppress(Exception), current_job().transaction() as connection:
            connection.execute("UPDATE counter SET effects = effects + 1")

    task = deaf if way.is_async else deaf_in_a_thread

    async def scenario(job: Enqueued) -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "scheduled", what="it is put off")
            other.rollback()
            await auntil(lambda: books.unfinished() == 0, what="the job completes")

    with psycopg.connect(to_conninfo(books.url)) as other:
        job = task.enqueue(books.connection)
        claimed = Claimed(str(job.id), "deaf", "{}", 1, 5, "default", 0, 5, 0.0)
        assert run(executor(other), processed_ids.begin(claimed))[0].alone
        play(scenario(job))
    record = books.job(job)
    assert (record.state, record.attempt, record.errors) == ("completed", 1, None)
    assert (effects(books), processed(books), len(tries)) == (1, 1, 2)


@both_kinds
def test_a_lease_that_is_lost_before_the_block_is_noticed_at_its_beginning(
    books: Books, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()
    entered: list[str] = []
    take_away = "UPDATE jobqueue.jobs SET lease = nextval('jobqueue.leases')"

    @jobs.task
    async def late() -> None:
        books.rows(take_away)
        async with current_job().transaction():
            entered.append("entered")

    @jobs.task
    def late_in_a_thread() -> None:
        books.rows(take_away)
        with current_job().transaction():
            entered.append("entered")

    (late if way.is_async else late_in_a_thread).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: "its lease was lost" in caplog.text, what="it is told")

    play(scenario())
    assert entered == []


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
    task = counting(jobs, way, books.url, retry=Retry(attempts=1))
    first = task.enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.state(first) == "completed", what="the first completes")
            assert books.cut("jobqueue jobs") == 1
            until(lambda: books.cut("jobqueue jobs") == 0, what="the session has ended")
            task.enqueue(books.connection)
            await auntil(lambda: books.unfinished() == 0, what="the second ends")

    play(scenario())
    assert books.states() == {"completed": 2}
    assert effects(books) == 2


@both_kinds
def test_sessions_of_the_worker_ask_the_server_to_notice_a_machine_that_is_gone(
    books: Books, way: Way
) -> None:
    jobs = JobQueue()
    seen: list[Any] = []
    # The setting itself reads as 0 on a socket of the same machine.
    ours = (
        "SELECT count(*) FROM pg_settings WHERE name LIKE 'tcp\\_keepalives%' "
        "AND source = 'session'"
    )

    def inside(connection: Any) -> Any:
        async def look() -> None:
            seen.append(await (await connection.execute(ours)).fetchone())

        if way.is_async:
            return look()
        seen.append(connection.execute(ours).fetchone())
        return None

    counting(jobs, way, books.url, inside=inside).enqueue(books.connection)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="the job completes")

    play(scenario())
    assert seen == [(3,)]


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
