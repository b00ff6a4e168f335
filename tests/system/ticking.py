"""A schedule with a tick each second beside real processes, and what is to be true of it."""

from __future__ import annotations

from itertools import pairwise

from tests.system.processes import Crew, WorkerProcess
from tests.waiting import until
from tests.worker.books import Books

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

    try:
        # A process may take long to start where the machine is busy.
        worker = until(found, what="there is a leader", seconds=60)
    except AssertionError as error:
        for one in crew.workers:
            error.add_note(f"{one.pid} ({one.process.poll()}): {one.log[-800:]}")
        raise
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


def each_second_had_one_job(books: Books) -> None:
    """End the schedule, and see that from its first tick to its last each second had one job."""
    books.rows("UPDATE jobqueue.schedules SET state = 'paused'")
    until(lambda: books.unfinished() == 0, what="all jobs have ended", seconds=30)
    ticks = books.rows(TICKS)
    assert {(after[0] - before[0]).total_seconds() for before, after in pairwise(ticks)} == {1}
    assert {jobs for *_, jobs in ticks} == {1}
    assert len({job for _, _, job, _, _ in ticks}) == len(ticks)
    assert books.value("SELECT count(*) FROM jobqueue.all_jobs") == len(ticks)
