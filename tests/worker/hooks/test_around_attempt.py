"""Hooks run around attempts in every pool, see their ends, and cost no job its own.

One worker runs every kind of hook in every pool; each test looks at what came of one kind.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue.store.jobs import Enqueued, JobRecord
from tests.conftest import new_database
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.hooks import application
from tests.worker.hooks.application import ASYNC, BEHAVIOURS, POOLS
from tests.worker.playing import play, running

APPLICATION = "tests.worker.hooks.application:jobs"

in_every_pool = pytest.mark.parametrize("place", POOLS)


class Ran:
    """What became of every job, what was noted, and what the worker's log says."""

    def __init__(self, books: Books, jobs: dict[str, Enqueued], notes: Path, log: str) -> None:
        self.records = {task: books.job(job) for task, job in jobs.items()}
        self.log = log
        self._notes = [line.split(" | ") for line in notes.read_text().splitlines()]

    def job(self, behaviour: str, place: str) -> JobRecord:
        return self.records[f"{behaviour}/{place}"]

    def error(self, behaviour: str, place: str) -> dict[str, str]:
        [error] = self.job(behaviour, place).errors or []
        return error

    def notes(self, behaviour: str, place: str) -> list[str]:
        return [text for task, text, _ in self._notes if task == f"{behaviour}/{place}"]

    def places(self, behaviour: str, place: str) -> set[str]:
        """Where the hooks and the task ran: process and thread."""
        return {where for task, _, where in self._notes if task == f"{behaviour}/{place}"}

    def said(self, behaviour: str, place: str) -> list[str]:
        """What the log says of hooks around the job."""
        job_id = self.job(behaviour, place).id
        return [
            line
            for line in self.log.splitlines()
            if "around_attempt" in line and f"{job_id}" in line
        ]


@pytest.fixture(scope="module")
def ran(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    notes = tmp_path_factory.mktemp("hooks") / "notes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOOKS_NOTES", str(notes))
        lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("jobqueue.worker")
        logger.addHandler(handler)
        level = logger.level
        logger.setLevel(logging.INFO)
        for url in new_database(server_url, template):
            books = Books(url)
            jobs = {
                name: task.enqueue(books.connection)
                for name, task in application.jobs.tasks.items()
                # On a loop this one would block it, which is another test's affair.
                if name not in {f"blocks_before/{place}" for place in ASYNC}
            }

            async def scenario(books: Books = books) -> None:
                async with running(
                    application.jobs, books.url, application=APPLICATION, stop_seconds=2.0,
                    pool_processes=2,
                ):  # fmt: skip
                    await auntil(
                        lambda: (
                            not books.value(
                                "SELECT count(*) FROM jobqueue.jobs WHERE state <> 'scheduled'"
                            )
                        ),
                        what="every job has had its attempt",
                    )

            play(scenario())
            yield Ran(books, jobs, notes, "\n".join(lines))
            books.close()
        logger.setLevel(level)
        logger.removeHandler(handler)


@in_every_pool
def test_they_surround_the_task_in_their_order_in_its_own_place_and_context(
    ran: Ran, place: str
) -> None:
    deep = place in ASYNC
    assert ran.job("completes", place).state == "completed"
    assert ran.notes("completes", place) == [
        "outer begins",
        *(["deep begins"] if deep else []),
        "inner begins",
        "runs for outer",
        "inner ends",
        *(["deep gets its result"] if deep else []),
        "outer gets its result",
    ]
    [where] = ran.places("completes", place)
    process = where.split()[0]
    assert (process == f"{os.getpid()}") == (POOLS[place] != "process")


@in_every_pool
def test_the_tasks_exception_is_raised_in_them_and_cannot_be_swallowed(
    ran: Ran, place: str
) -> None:
    deep = ["deep sees ValueError"] if place in ASYNC else []
    # The inner one swallows it, and the outer one.
    assert ran.notes("fails", place)[-2 - len(deep) :] == [
        "inner ends",
        *deep,
        "outer sees ValueError",
    ]
    assert ran.job("fails", place).state == "scheduled"
    error = ran.error("fails", place)
    assert (error["error"], error["message"]) == ("ValueError", "of the task")
    for hook in ("outer", "deep", "inner"):
        assert f"in {hook}" not in error["traceback"], "a hook's lines say nothing of the error"
    assert ran.said("fails", place) == []


@in_every_pool
def test_an_error_of_their_own_does_not_take_the_place_of_the_tasks(ran: Ran, place: str) -> None:
    assert ran.error("fails_and_is_replaced", place)["error"] == "ValueError"
    [said] = ran.said("fails_and_is_replaced", place)
    assert "around_attempt 'inner', job fails_and_is_replaced" in said
    assert "raised RuntimeError: instead" in said
    assert ran.notes("fails_and_is_replaced", place)[-1] == "outer sees ValueError"


MISTAKES = {
    "raises_before": "raised ZeroDivisionError: division by zero",
    "exits_before": "raised SystemExit: hook leaves",
    "raises_after": "raised ZeroDivisionError: division by zero",
    "snoozes_after": "raised Snooze: snoozed for 3600 s",
    "leaves_early": "did not yield",
    "yields_again": "yielded twice",
}


@in_every_pool
@pytest.mark.parametrize(("behaviour", "words"), MISTAKES.items())
def test_their_mistakes_are_logged_and_fail_no_job(
    ran: Ran, place: str, behaviour: str, words: str
) -> None:
    assert ran.job(behaviour, place).state == "completed"
    assert "runs for outer" in ran.notes(behaviour, place)
    assert ran.notes(behaviour, place)[-1] == "outer gets its result"
    [said] = ran.said(behaviour, place)
    assert f"around_attempt 'inner', job {behaviour}/{place}" in said
    assert words in said


@in_every_pool
def test_what_they_raise_after_a_failure_does_not_decide(ran: Ran, place: str) -> None:
    assert ran.job("cancels_after_failure", place).state == "scheduled"
    assert ran.error("cancels_after_failure", place)["error"] == "ValueError"
    assert "raised Cancel: too late" in ran.said("cancels_after_failure", place)[0]


ENDS = {
    "snoozes": ("scheduled", 0, "Snooze"),
    "cancels": ("cancelled", 1, "Cancel"),
    "retries": ("scheduled", 1, "Retry"),
}


@in_every_pool
@pytest.mark.parametrize("behaviour", ENDS)
def test_before_the_task_they_may_decide_what_becomes_of_the_job(
    ran: Ran, place: str, behaviour: str
) -> None:
    state, attempts, error = ENDS[behaviour]
    job = ran.job(behaviour, place)
    assert (job.state, job.attempt) == (state, attempts)
    assert not any("runs" in text for text in ran.notes(behaviour, place))
    assert ran.notes(behaviour, place)[-1] == f"outer sees {error}"
    assert ran.said(behaviour, place) == []


@pytest.mark.parametrize("place", [place for place in POOLS if place not in ASYNC])
def test_a_timeout_stops_an_attempt_that_is_still_in_a_hook(ran: Ran, place: str) -> None:
    assert ran.job("blocks_before", place).state == "scheduled"
    assert ran.error("blocks_before", place)["error"] == "TimedOut"
    assert not any("runs" in text for text in ran.notes("blocks_before", place))
    assert ran.said("blocks_before", place) == []


def test_a_worker_says_which_tasks_an_async_hook_leaves_out(ran: Ran) -> None:
    [said] = [line for line in ran.log.splitlines() if "is async" in line]
    assert said.startswith("around_attempt 'deep': is async, so it runs around async tasks only")
    named = set(said.partition("not around ")[2].split(", "))
    assert named == {
        f"{one}/{place}" for one in BEHAVIOURS for place in POOLS if place not in ASYNC
    }
