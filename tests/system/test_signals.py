"""SIGTERM and SIGINT: the worker stops in good order, or at once when asked twice."""

from __future__ import annotations

import signal
import time
from uuid import UUID

import pytest

from tests.system.processes import Crew
from tests.waiting import until
from tests.worker.books import Books

NOBODY_THERE = "postgresql://127.0.0.1:1/nothing"


def enqueue(books: Books, task: str, word: str) -> UUID:
    return books.value(
        "SELECT job_id FROM jobqueue.enqueue_v1(%s, jsonb_build_object('word', %s::text))",
        [task, word],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish_and_the_exit_code_is_0(
    books: Books, crew: Crew, number: signal.Signals
) -> None:
    jobs = [enqueue(books, "until_told", f"job {n}") for n in range(5)]
    worker = crew.start(books.url, "--queue", "default=2")
    until(lambda: len(crew.runs()) == 2, what="two jobs run")
    worker.signal(number)
    until(lambda: "stopping" in worker.log, what="it says that it stops")
    crew.go_on()
    assert worker.exit_code() == 0
    assert [books.state(job) for job in jobs] == ["completed"] * 2 + ["available"] * 3
    assert [books.job(job).attempt for job in jobs] == [1, 1, 0, 0, 0]
    assert len(crew.runs()) == 2
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    assert "Traceback" not in worker.log


def test_an_idle_worker_stops_at_once(books: Books, crew: Crew) -> None:
    worker = crew.start(books.url)
    until(books.sleeping, what="the worker sleeps")
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("task", ["stuck", "stubborn"])
def test_a_job_that_cannot_be_stopped_is_handed_back_and_the_process_ends_without_it(
    books: Books, crew: Crew, task: str
) -> None:
    job = enqueue(books, task, "work")
    worker = crew.start(books.url, "--grace", "500ms")
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.exit_code(seconds=10) == 5
    assert time.monotonic() - began < 6
    record = books.job(job)
    assert (record.state, record.attempt, record.worker_id) == ("available", 0, None)
    assert "handed back for another worker" in worker.log


def test_a_second_signal_skips_the_wait(books: Books, crew: Crew) -> None:
    job = enqueue(books, "until_told", "work")
    worker = crew.start(books.url, "--grace", "5m")
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log, what="it says that it stops")
    assert worker.process.poll() is None, "it waits for the job"
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.exit_code() == 5
    assert time.monotonic() - began < 6
    assert (books.state(job), books.job(job).attempt) == ("available", 0)

    # And whoever comes next takes it at once.
    crew.start(books.url)
    until(lambda: crew.runs()["work"] == 2, what="another worker runs it", seconds=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_while_the_worker_waits_for_the_database(
    crew: Crew, number: signal.Signals
) -> None:
    worker = crew.start(NOBODY_THERE)
    until(lambda: "trying again" in worker.log, what="it waits for the database")
    began = time.monotonic()
    worker.signal(number)
    assert worker.exit_code() == 0
    assert time.monotonic() - began < 3
    assert "Traceback" not in worker.log
