"""Schedules and real processes: leaders that are killed and frozen, and how late ticks are then."""

from __future__ import annotations

import signal
from itertools import pairwise

from tests.chaos.programs import SHIFTED_CLOCK
from tests.system.processes import Crew, WorkerProcess
from tests.waiting import until
from tests.worker.books import Books

WORKERS = 5
ROUNDS = 2
FROZEN_SECONDS = 5.0
# From the kill of the leader to the tick that was due next.
LATEST_SECONDS = 5.0

TICKS = """
SELECT tick.tick_at, tick.state, tick.job_id,
       extract(epoch FROM tick.decided_at - tick.tick_at)::float,
       (SELECT count(*) FROM jobqueue.all_jobs AS job WHERE job.id = tick.job_id)
FROM jobqueue.schedule_ticks AS tick ORDER BY tick.tick_at
"""


def leader(books: Books, crew: Crew) -> WorkerProcess:
    """Wait for a leader that holds the lock, and give its process."""

    def found() -> WorkerProcess | None:
        rows = books.rows(
            "SELECT worker FROM jobqueue.leader WHERE backend_pid IN "
            "(SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
        )
        pids = {int(name.rpartition(":")[2]) for (name,) in rows}
        return next(
            (one for one in crew.workers if one.pid in pids and one.process.poll() is None), None
        )

    worker = until(found, what="there is a leader")
    assert worker is not None
    return worker


def schedule(books: Books) -> None:
    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, args, cron, missed) "
        "VALUES ('s', 'count', '{\"number\": 1}', '* * * * * *', 'all')"
    )


def passed(books: Books, count: int) -> None:
    """Wait for so many further ticks."""
    before = books.value("SELECT count(*) FROM jobqueue.schedule_ticks")
    until(
        lambda: books.value("SELECT count(*) FROM jobqueue.schedule_ticks") >= before + count,
        what=f"{count} ticks pass",
        seconds=30,
    )


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
    books.rows("UPDATE jobqueue.schedules SET state = 'paused'")
    until(lambda: books.unfinished() == 0, what="all jobs have ended")

    ticks = books.rows(TICKS)
    assert {(after[0] - before[0]).total_seconds() for before, after in pairwise(ticks)} == {1}
    assert {jobs for *_, jobs in ticks} == {1}
    assert len({job for _, _, job, _, _ in ticks}) == len(ticks)
    assert books.value("SELECT count(*) FROM jobqueue.all_jobs") == len(ticks)


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
