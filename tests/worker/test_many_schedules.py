"""Ten thousand schedules that are all due at the same moment."""

from __future__ import annotations

from jobqueue import JobQueue
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

SCHEDULES = 10_000
# Each is planned first, and has its tick some seconds after it was made.
AHEAD_SECONDS = 8


def test_ten_thousand_that_are_due_at_once_have_one_job_each(books: Books) -> None:
    jobs = JobQueue()

    @jobs.task(history=False)
    async def note() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url, queues={"other": 1}):
            await auntil(lambda: books.rows("SELECT worker FROM jobqueue.leader"), what="it leads")
            moment = books.value(
                "SELECT date_trunc('second', now()) + make_interval(secs => %s)", [AHEAD_SECONDS]
            )
            books.rows(
                "INSERT INTO jobqueue.schedules (name, task, cron, timezone, max_runs) "
                "SELECT 's' || n, 'note', %s, 'Europe/Berlin', 1 FROM generate_series(1, %s) AS n",
                [moment.strftime("%M * * * * %S"), SCHEDULES],
            )
            await auntil(lambda: books.unfinished() == SCHEDULES, what="each has a job", seconds=60)

    play(scenario())
    assert books.rows(
        "SELECT state, count(*), count(DISTINCT schedule_id), count(DISTINCT job_id), "
        "count(DISTINCT tick_at) FROM jobqueue.schedule_ticks GROUP BY state"
    ) == [("enqueued", SCHEDULES, SCHEDULES, SCHEDULES, 1)]
    assert books.rows("SELECT state, count(*) FROM jobqueue.schedules GROUP BY state") == [
        ("finished", SCHEDULES)
    ]
    late = books.value(
        "SELECT extract(epoch FROM max(decided_at - tick_at))::float FROM jobqueue.schedule_ticks"
    )
    assert late < 30
