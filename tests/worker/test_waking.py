"""An idle worker sleeps until it is woken; what no notification says is found by looking."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import psycopg
import pytest

from jobqueue import JobQueue, Snooze
from jobqueue.store.database import to_conninfo
from jobqueue.worker import claimer
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

# Far longer than any of these tests may take: what runs sooner was not found by looking.
LONG_PAUSE_SECONDS = 60.0
PROMPT_SECONDS = 3.0


@pytest.fixture
def long_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a worker that finds nothing behave at once as one that has found nothing for long."""
    monkeypatch.setattr(claimer, "FIRST_LOOK_SECONDS", LONG_PAUSE_SECONDS)


def noting(queue: str = "default") -> tuple[JobQueue, Any]:
    jobs = JobQueue()

    @jobs.task(queue=queue)
    async def note() -> None: ...

    return jobs, note


async def completes_promptly(books: Books, job: Any) -> None:
    await auntil(
        lambda: books.state(job) == "completed", what="the job is run", seconds=PROMPT_SECONDS
    )


async def sleeps(books: Books, *queues: str) -> None:
    await auntil(lambda: set(queues) <= set(books.sleeping()), what=f"it sleeps in {queues}")


@pytest.mark.usefixtures("long_idle")
def test_a_sleeping_worker_is_woken_by_an_enqueue_at_commit(books: Books) -> None:
    jobs, note = noting()

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "default")
            with psycopg.connect(to_conninfo(books.url)) as connection:
                job = note.enqueue(connection)
                connection.commit()
                await completes_promptly(books, job)
            await sleeps(books, "default")
            await completes_promptly(books, note.enqueue(books.connection))

    play(scenario())


@pytest.mark.usefixtures("long_idle")
def test_a_sleeping_worker_is_woken_when_a_delayed_job_is_due(books: Books) -> None:
    jobs, note = noting()

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "default")
            await completes_promptly(books, note.using(delay=0.3).enqueue(books.connection))

    play(scenario())


@pytest.mark.usefixtures("long_idle")
def test_a_sleeping_worker_is_woken_by_a_redrive_and_by_run_it_now(books: Books) -> None:
    jobs, note = noting()
    waiting = note.using(delay=3600).enqueue(books.connection)
    dead = books.bury("note")

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "default")
            assert books.value("SELECT jobqueue.retry_v1(%s)", [waiting.id]) == "available"
            await completes_promptly(books, waiting)
            await sleeps(books, "default")
            assert books.value("SELECT jobqueue.redrive_v1(%s)", [dead])
            await completes_promptly(books, dead)

    play(scenario())


@pytest.mark.usefixtures("long_idle")
def test_a_queue_whose_slots_were_full_when_the_worker_fell_asleep_wakes_it_later(
    books: Books,
) -> None:
    jobs = JobQueue()

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task(queue="full")
        async def long() -> None:
            await go_on.wait()

        @jobs.task(queue="full")
        async def short() -> None: ...

        first = long.enqueue(books.connection)
        queues = {"full": 1, "idle": 1}
        async with running(jobs, books.url, queues=queues, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "idle")
            go_on.set()
            await completes_promptly(books, first)
            # Its slot is free again; the worker has looked, found nothing and rests.
            await completes_promptly(books, short.enqueue(books.connection))

    play(scenario())


@pytest.mark.usefixtures("long_idle")
def test_a_job_snoozed_for_no_time_runs_again_at_once_on_a_worker_that_sleeps(
    books: Books,
) -> None:
    jobs = JobQueue()
    runs: list[int] = []

    async def scenario() -> None:
        go_on = asyncio.Event()

        @jobs.task
        async def again() -> None:
            runs.append(1)
            if len(runs) < 10:
                await go_on.wait()
                raise Snooze(0)

        job = again.enqueue(books.connection)
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "default")
            go_on.set()
            await completes_promptly(books, job)

    play(scenario())
    assert len(runs) == 10


@pytest.mark.usefixtures("long_idle")
def test_a_worker_that_lost_its_lease_asleep_is_still_woken(books: Books) -> None:
    jobs, note = noting()

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS, lease_seconds=0.6):
            await sleeps(books, "default")
            books.rows("DELETE FROM jobqueue.workers")
            await sleeps(books, "default")
            await completes_promptly(books, note.enqueue(books.connection))

    play(scenario())


@pytest.mark.usefixtures("long_idle")
def test_a_listener_that_lost_its_connection_listens_again(books: Books) -> None:
    jobs, note = noting()
    listening = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'jobqueue worker listens' AND query = 'LISTEN jobqueue_pauses'"
    )

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
            await sleeps(books, "default")
            [before] = await auntil(lambda: books.rows(listening), what="it listens")
            assert books.cut("jobqueue worker listens") == 1
            await auntil(
                lambda: books.rows(listening) not in ([], [before]), what="it listens again"
            )
            await completes_promptly(books, note.enqueue(books.connection))

    play(scenario())


def test_a_worker_that_cannot_listen_finds_jobs_by_looking(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, note = noting()

    def refuse() -> NoReturn:
        raise psycopg.OperationalError("the pooler does not let us listen")

    monkeypatch.setattr("jobqueue.store.workers.listen", refuse)

    async def scenario() -> None:
        async with running(jobs, books.url, poll_seconds=0.2):
            await sleeps(books, "default")
            for _ in range(3):
                await completes_promptly(books, note.enqueue(books.connection))

    play(scenario())


def test_a_job_whose_transaction_began_before_the_worker_slept_is_found_soon(
    books: Books,
) -> None:
    jobs, note = noting()

    async def scenario() -> None:
        with psycopg.connect(to_conninfo(books.url)) as connection:
            job = note.enqueue(connection)  # nobody sleeps yet, so no notification is sent
            async with running(jobs, books.url, poll_seconds=LONG_PAUSE_SECONDS):
                await sleeps(books, "default")
                connection.commit()
                await completes_promptly(books, job)

    play(scenario())


def test_an_enqueue_notifies_only_while_a_worker_sleeps_in_its_queue(books: Books) -> None:
    jobs, note = noting("quiet")

    async def scenario() -> None:
        with psycopg.connect(to_conninfo(books.url), autocommit=True) as ear:
            ear.execute("LISTEN jobqueue")
            note.enqueue(books.connection)
            note.using(queue="elsewhere").enqueue(books.connection)
            async with running(jobs, books.url, queues={"quiet": 1}):
                await sleeps(books, "quiet")
                note.using(queue="elsewhere").enqueue(books.connection)
                # One transaction, one notification, however many jobs.
                with psycopg.connect(to_conninfo(books.url)) as connection:
                    for _ in range(5):
                        note.enqueue(connection)
                heard = [one.payload for one in ear.notifies(timeout=5, stop_after=1)]
                heard += [one.payload for one in ear.notifies(timeout=0)]
        assert heard == ["quiet"]

    play(scenario())
