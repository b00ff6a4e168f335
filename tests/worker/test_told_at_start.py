"""What a worker says, at its start, of queues and jobs that look like a mistake."""

from __future__ import annotations

import pytest

from jobqueue import JobQueue
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.fixture
def jobs() -> JobQueue:
    jobs = JobQueue()

    @jobs.task(queue="email")
    async def send() -> None: ...

    return jobs


def new_queues(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the warnings of new queues, and forget them."""
    found = [line for line in caplog.messages if "no worker has served it before" in line]
    caplog.clear()
    return found


def serve(jobs: JobQueue, books: Books, *queues: str) -> None:
    async def scenario() -> None:
        async with running(jobs, books.url, queues=dict.fromkeys(queues, 1)):
            await auntil(lambda: books.rows("SELECT id FROM jobqueue.workers"), what="it serves")

    play(scenario())


def test_a_queue_of_which_nothing_is_known_is_warned_of_once(
    books: Books, caplog: pytest.LogCaptureFixture, jobs: JobQueue
) -> None:
    serve(jobs, books, "emial", "email", "default")
    [warning] = new_queues(caplog)
    assert "queue 'emial'" in warning
    assert "tasks go to: 'email'" in warning
    serve(jobs, books, "emial")
    assert new_queues(caplog) == []


def test_a_queue_that_is_used_is_not_warned_of(
    books: Books, caplog: pytest.LogCaptureFixture, jobs: JobQueue
) -> None:
    books.rows("INSERT INTO jobqueue.tasks VALUES ('of_another_application', 'pictures', 5, 5)")
    books.rows("SELECT jobqueue.enqueue_v1('send', queue => 'chosen by an enqueue')")
    serve(jobs, books, "email", "pictures", "chosen by an enqueue")
    assert new_queues(caplog) == []


def test_jobs_whose_task_nobody_has_are_told_of_long_before_the_lease_is_over(
    books: Books, caplog: pytest.LogCaptureFixture, jobs: JobQueue
) -> None:
    def warned(task: str) -> bool:
        return f"task '{task}': not registered" in caplog.text

    books.rows("SELECT jobqueue.enqueue_v1('sned')")

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=600):
            await auntil(lambda: warned("sned"), seconds=10, what="it warns at its start")
            books.rows("SELECT jobqueue.enqueue_v1('seend')")
            await auntil(lambda: warned("seend"), seconds=10, what="and soon after")

    play(scenario())
