"""Connections break at every moment; every job is done all the same, and only once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from jobqueue import Constant, JobQueue, Retry, Snooze
from jobqueue.store import claims
from jobqueue.store import jobs as statements
from jobqueue.store.database import to_conninfo
from jobqueue.store.statement import Statement
from jobqueue.worker.link import Link
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

CLAIM = claims.claim(0, {}, []).text
COMPLETED = statements.ack_completed("", "", "").text
RESCHEDULED = statements.ack_rescheduled("").text


class LostAnswers:
    """Lets statements through and loses the first answers of one of them with the connection."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str, *, times: int = 1) -> None:
        self.left = times
        self.sent = 0
        real = Link.run

        async def run(link: Link, statement: Statement[Any]) -> list[Any]:
            rows = await real(link, statement)
            if statement.text != text:
                return rows
            self.sent += 1
            if self.left:
                self.left -= 1
                await link.close()
                raise psycopg.OperationalError("the connection is lost")
            return rows

        monkeypatch.setattr(Link, "run", run)


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
def test_every_job_runs_once_while_all_connections_break_again_and_again(
    books: Books, kind: str
) -> None:
    jobs = JobQueue()
    ran: Counter[int] = Counter()

    def work(number: int) -> None:
        ran[number] += 1

    async def work_async(number: int) -> None:
        work(number)
        await asyncio.sleep(0.005)

    task = jobs.task(name="work")(work_async if kind == "coroutine" else work)

    async def scenario() -> int:
        cut = 0
        async with running(jobs, books.url):
            for batch in range(10):
                numbers = range(batch * 300, batch * 300 + 300)
                task.enqueue_many(books.connection, [{"number": number} for number in numbers])
                begun = len(ran)
                await auntil(lambda at=begun: len(ran) > at, what="more jobs run")
                cut += books.cut()
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")
        return cut

    assert play(scenario()) >= 10, "connections were there to be cut"
    assert books.states() == {"completed": 3000}
    assert ran == Counter(range(3000))


def test_failures_are_recorded_once_while_connections_break(books: Books) -> None:
    jobs = JobQueue()
    ran: Counter[int] = Counter()

    @jobs.task(retry=Retry(attempts=2, backoff=Constant(0), jitter=0))
    async def fail(number: int) -> None:
        ran[number] += 1
        raise ValueError("always")

    fail.enqueue_many(books.connection, [{"number": number} for number in range(400)])

    async def scenario() -> None:
        async with running(jobs, books.url):
            for part in (50, 200, 400, 600):
                await auntil(lambda at=part: ran.total() >= at, what="more jobs run")
                books.cut()
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert books.states() == {"dead": 400}
    assert ran == Counter(dict.fromkeys(range(400), 2))
    assert books.rows("SELECT DISTINCT jsonb_array_length(errors) FROM jobqueue.dead_letters") == [
        (2,)
    ]


def test_jobs_of_a_claim_whose_answer_was_lost_run_at_once_and_uncounted(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def note(number: int) -> None:
        ran.append(number)

    note.enqueue_many(books.connection, [{"number": number} for number in range(30)])
    lost = LostAnswers(monkeypatch, CLAIM)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert lost.left == 0
    assert sorted(ran) == list(range(30))
    assert books.rows("SELECT DISTINCT attempt, errors FROM jobqueue.job_history") == [(1, None)]


def test_an_ack_whose_answer_was_lost_is_repeated_harmlessly(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobQueue()
    ran: list[int] = []

    @jobs.task
    async def note(number: int) -> None:
        ran.append(number)

    note.enqueue_many(books.connection, [{"number": number} for number in range(30)])
    lost = LostAnswers(monkeypatch, COMPLETED, times=3)

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(lambda: lost.left == 0, what="answers are lost")
            await auntil(lambda: books.unfinished() == 0, what="all jobs end")

    play(scenario())
    assert sorted(ran) == list(range(30))
    assert books.states() == {"completed": 30}


def test_a_snooze_whose_ack_went_unanswered_does_not_run_the_job_twice_at_once(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobQueue()
    runs: list[str] = []
    lost = LostAnswers(monkeypatch, RESCHEDULED)

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task
        async def snooze_once() -> None:
            runs.append("run")
            if len(runs) == 1:
                raise Snooze(0)
            await go_on.wait()

        @jobs.task
        async def other() -> None: ...

        job = snooze_once.enqueue(books.connection)
        async with running(jobs, books.url):
            await auntil(lambda: len(runs) == 2, what="it runs again")
            # The acker repeats what was not answered. By now that job runs once more, by its
            # numbers the same attempt of the same worker.
            await auntil(lambda: lost.sent == 2, what="the ack is repeated")
            later = other.enqueue(books.connection)
            await auntil(lambda: books.state(later) == "completed", what="a later job completes")
            assert (len(runs), books.state(job)) == (2, "running")
            go_on.set()
            await auntil(lambda: books.state(job) == "completed", what="the job completes")

    play(scenario())
    assert len(runs) == 2


@contextmanager
def outage(books: Books, server_url: str) -> Iterator[None]:
    """Throw every worker out of the database and let none in: to them, the server is gone."""
    name = sql.Identifier(books.value("SELECT current_database()"))
    command = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as other:
        other.execute(command.format(name, sql.SQL("false")))
        try:
            books.cut()
            yield
        finally:
            other.execute(command.format(name, sql.SQL("true")))


def test_a_job_that_ends_during_an_outage_is_recorded_when_it_is_over(
    books: Books, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task
        async def work() -> None:
            await go_on.wait()

        job = work.enqueue(books.connection)
        async with running(jobs, books.url):
            await auntil(lambda: books.state(job) == "running", what="the job runs")
            with outage(books, server_url):
                go_on.set()
                await auntil(
                    lambda: any("ack: not recorded" in line for line in caplog.messages),
                    what="the ack fails",
                )
                assert books.state(job) == "running"
            await auntil(lambda: books.state(job) == "completed", what="the outcome is recorded")
            assert books.job(job).attempt == 1

    play(scenario())


def test_a_stopping_worker_does_not_wait_long_for_a_database_that_is_gone(
    books: Books, server_url: str
) -> None:
    jobs = JobQueue()

    @jobs.task
    async def work() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            job = work.enqueue(books.connection)
            await auntil(lambda: books.state(job) == "completed", what="the job completes")
            with outage(books, server_url):
                await it.stopped()

    play(scenario())
