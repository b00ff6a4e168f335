"""Each child process of the pool opens the application's resources for itself, once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobqueue.worker.processes import pool as pool_module
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.hooks.resourceful import (
    dies,
    jobs,
    misses,
    on_the_same_loop,
    stops_the_loop,
    use,
)
from tests.worker.playing import Running, play, running

APPLICATION = "tests.worker.hooks.resourceful:jobs"


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Give what children have noted; what this process notes itself is left out."""
    path = tmp_path / "notes"
    monkeypatch.setenv("HOOKS_NOTES", str(path))
    monkeypatch.setenv("HOOKS_WORKER", f"{os.getpid()}")
    return lambda: [
        line for line in path.read_text().splitlines() if not line.startswith(f"{os.getpid()} ")
    ]


def work(books: Books, *, until: Callable[[], object], what: str) -> float:
    """Run a worker with one child until something is so. Gives how long its end took."""

    async def stop(it: Running) -> float:
        began = time.monotonic()
        await it.stopped()
        return time.monotonic() - began

    async def scenario() -> float:
        async with running(jobs, books.url, application=APPLICATION, pool_processes=1) as it:
            await auntil(until, what=what)
            return await stop(it)

    return play(scenario())


def work_off(books: Books) -> float:
    return work(books, until=lambda: books.unfinished() == 0, what="every job has ended")


def words(lines: list[str]) -> list[str]:
    return [line.partition(" ")[2] for line in lines]


def test_a_child_opens_them_once_on_its_own_loop_and_closes_them(
    books: Books, notes: Callable[[], list[str]]
) -> None:
    uses = [use.enqueue(books.connection) for _ in range(3)]
    same = [on_the_same_loop.enqueue(books.connection) for _ in range(2)]
    missing = misses.enqueue(books.connection)
    work_off(books)
    assert words(notes()) == ["plain opens", "client opens", "client closes", "plain closes"]
    [child] = {line.split()[0] for line in notes()}
    assert [jobs.result(books.connection, job) for job in uses] == [f"opened in {child}"] * 3
    assert [jobs.result(books.connection, job) for job in same] == [True, True]
    [error] = books.job(missing).errors or []
    assert error["error"].endswith("UnknownResource")
    assert "there are: 'loop', 'plain'" in error["message"]


def test_a_child_that_takes_the_place_of_another_opens_its_own(
    books: Books, notes: Callable[[], list[str]]
) -> None:
    dead = dies.enqueue(books.connection)
    work(books, until=lambda: books.state(dead) == "dead", what="a child has died")
    # Nobody can close what a killed process has opened.
    assert words(notes()) == ["plain opens", "client opens"]
    job = use.enqueue(books.connection)
    work_off(books)
    assert books.state(job) == "completed"
    assert words(notes())[2:] == ["plain opens", "client opens", "client closes", "plain closes"]


def test_a_job_that_stops_the_loop_costs_the_next_one_no_resource(
    books: Books, notes: Callable[[], list[str]]
) -> None:
    stopping = stops_the_loop.enqueue(books.connection)
    same = on_the_same_loop.enqueue(books.connection)
    work_off(books)
    assert books.state(stopping) == "dead"
    assert jobs.result(books.connection, same) is True
    assert words(notes()) == ["plain opens", "client opens", "client closes", "plain closes"] * 2


def test_a_child_that_cannot_open_them_is_said_and_its_jobs_are_handed_back_unharmed(
    books: Books,
    notes: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pool_module, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setenv("HOOKS_LIFESPANS", "fails in children")
    job = use.enqueue(books.connection)
    said = "lifespan 'client': raised ConnectionError: nobody answers"
    work(books, until=lambda: caplog.text.count(said), what="it is said")
    assert f"{APPLICATION} cannot be loaded in a child process" in caplog.text
    assert (books.job(job).attempt, books.unfinished()) == (0, 1)
    assert words(notes())[:2] == ["plain opens", "plain closes"]


def test_one_that_hangs_at_the_close_is_given_up(
    books: Books,
    notes: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HOOKS_LIFESPANS", "hangs")
    use.enqueue(books.connection)
    assert work_off(books) < 14  # the child's three seconds, then the worker's own five
    assert words(notes())[-1] == "plain closes"
    assert caplog.text.count("lifespan 'plain': not closed within") == 2
