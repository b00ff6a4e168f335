"""`current_job().transaction()` in a child process: effects and completion are one commit."""

from __future__ import annotations

from uuid import UUID

import pytest

from jobqueue.store.claims import Claimed
from jobqueue.worker.processes import ProcessDied
from tests.store import steps
from tests.worker.books import Books
from tests.worker.effects import effects, processed, with_counter
from tests.worker.playing import play
from tests.worker.processes.playing import job, pool
from tests.worker.processes.tasks import jobs


@pytest.fixture
def worker(books: Books) -> int:
    with_counter(books)
    return steps.register(books.connection)


def claimed(books: Books, worker: int, task: str, **args: object) -> Claimed:
    """Enqueue and claim a job, as a worker does."""
    jobs.tasks[task].enqueue(books.connection, **args)
    [given] = steps.claim(books.connection, worker, 1, tasks=[task])
    return given


@pytest.mark.parametrize("task", ["counts", "async_counts"])
def test_the_job_is_completed_in_the_commit_of_its_effects_and_nothing_is_left_to_record(
    books: Books, worker: int, task: str
) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            for number in (1, 2):
                given = claimed(books, worker, task)
                outcome = await processes.call(given)
                assert (outcome.kind, outcome.settled) == ("completed", True)
                assert books.state(UUID(given.id)) == "completed"
                assert (effects(books), processed(books)) == (number, number)

    play(scenario())


def test_an_engine_of_the_applications_own_serves_one_job_after_the_other(
    books: Books, worker: int
) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            for _ in range(3):
                given = claimed(books, worker, "async_counts_by_engine", url=books.url)
                outcome = await processes.call(given)
                assert (outcome.kind, outcome.settled) == ("completed", True), outcome

    play(scenario())
    assert effects(books) == 3


def test_an_error_in_the_block_takes_everything_back(books: Books, worker: int) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            given = claimed(books, worker, "counts_and_fails", how="")
            outcome = await processes.call(given)
            assert (outcome.kind, outcome.settled) == ("retried", False)
            assert books.state(UUID(given.id)) == "running"

    play(scenario())
    assert (effects(books), processed(books)) == (0, 0)


@pytest.mark.parametrize("task", ["counts", "async_counts"])
def test_an_error_after_the_block_changes_nothing(books: Books, worker: int, task: str) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            outcome = await processes.call(claimed(books, worker, task, after="raise"))
            assert (outcome.kind, outcome.settled) == ("completed", True)

    play(scenario())
    assert effects(books) == 1


def test_a_process_that_dies_in_the_block_takes_everything_back(books: Books, worker: int) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            given = claimed(books, worker, "counts_and_fails", how="kill")
            with pytest.raises(ProcessDied):
                await processes.call(given)
            assert books.state(UUID(given.id)) == "running"

    play(scenario())
    assert (effects(books), processed(books)) == (0, 0)


def test_a_process_that_dies_after_the_block_leaves_the_job_completed(
    books: Books, worker: int
) -> None:
    """Its worker hears of a death, and what it records of it changes nothing."""

    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            given = claimed(books, worker, "counts", after="kill")
            with pytest.raises(ProcessDied):
                await processes.call(given)
            assert steps.reschedule(books.connection, given) == [given.id]
            assert books.state(UUID(given.id)) == "completed"

    play(scenario())
    assert (effects(books), processed(books)) == (1, 1)


def test_a_second_delivery_finds_the_effects_made(books: Books, worker: int) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            given = claimed(books, worker, "counts")
            assert (await processes.call(given)).settled
            again = await processes.call(given)
            # To be recorded like any other; what has become of the lease is seen there.
            assert (again.kind, again.settled) == ("completed", False)

    play(scenario())
    assert effects(books) == 1


def test_a_job_whose_lease_was_lost_does_nothing(books: Books, worker: int) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            given = claimed(books, worker, "counts")
            outcome = await processes.call(given._replace(lease=given.lease + 1))
            assert (outcome.kind, outcome.settled) == ("handed_back", True)

    play(scenario())
    assert effects(books) == 0


def test_an_asynchronous_block_in_a_plain_function_is_refused_as_in_a_thread() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("async_block_in_a_plain_function"))
            assert outcome.error is not None
            assert "event loop that is not the worker's" in outcome.error["message"]

    play(scenario())


@pytest.mark.parametrize("task", ["counts", "async_counts"])
def test_a_process_with_open_connections_ends_without_a_word(
    books: Books, worker: int, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with pool(database_url=books.url) as processes:
            assert (await processes.call(claimed(books, worker, task))).settled
            [child] = processes._children
            child.leave()
            await child.gone.wait()

    play(scenario())
    assert caplog.text == ""
