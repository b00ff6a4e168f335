"""Schedules and real processes: leaders that are killed and frozen, and how late ticks are then."""

from __future__ import annotations

import signal

from tests.chaos.programs import SHIFTED_CLOCK
from tests.system.processes import Crew
from tests.system.ticking import TICKS, each_second_had_one_job, leader, passed, schedule
from tests.waiting import until
from tests.worker.books import Books

WORKERS = 5
ROUNDS = 2
FROZEN_SECONDS = 5.0
# From the kill of the leader to the tick that was due next.
LATEST_SECONDS = 5.0


def test_five_workers_make_one_job_a_tick_through_kills_and_freezes_of_their_leaders(
    books: Books, crew: Crew
) -> None:
    lease = ["--lease", "3s"]
    for _ in range(WORKERS):
        crew.start(books.url, *lease)
    schedule(books)
    passed(books, 2)
    for _ in range(ROUNDS):
        leader(books, crew).signal(signal.SIGKILL)
        crew.start(books.url, *lease)
        passed(books, 6)
        frozen = leader(books, crew)
        frozen.signal(signal.SIGSTOP)
        try:
            until(
                lambda frozen=frozen: leader(books, crew) is not frozen,
                what="another leads",
                seconds=10,
            )
            passed(books, 3)
        finally:
            frozen.signal(signal.SIGCONT)
        passed(books, 2)
    each_second_had_one_job(books)


def test_after_a_killed_leader_no_tick_is_later_than_five_seconds(books: Books, crew: Crew) -> None:
    for _ in range(2):
        crew.start(books.url)
    leader(books, crew)
    schedule(books)
    passed(books, 2)
    for _ in range(2):
        leader(books, crew).signal(signal.SIGKILL)
        crew.start(books.url)
        passed(books, 7)
    late = [seconds for *_, seconds, _ in books.rows(TICKS)]
    assert max(late) < LATEST_SECONDS


def test_a_leader_whose_clock_is_wrong_by_an_hour_keeps_the_databases_time(
    books: Books, crew: Crew, monkeypatch
) -> None:

    monkeypatch.setenv("PYTHONPATH", str(SHIFTED_CLOCK))
    monkeypatch.setenv("CHAOS_CLOCK_SHIFT_SECONDS", "3600")
    crew.start(books.url)
    leader(books, crew)
    schedule(books)
    passed(books, 4)
    assert max(abs(seconds) for *_, seconds, _ in books.rows(TICKS)) < LATEST_SECONDS


def test_a_worker_started_so_never_leads(books: Books, crew: Crew) -> None:
    kept_out = crew.start(books.url, "--no-leader")
    until(books.sleeping, what="it is at work")
    crew.start(books.url)
    assert leader(books, crew) is not kept_out
    crew.workers[1].end()
    schedule(books)
    crew.start(books.url)
    passed(books, 1)
    assert leader(books, crew) is crew.workers[2]
