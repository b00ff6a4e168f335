"""Chancy: see benchmarks/peers/python_program.py for the command line."""

import logging
from datetime import UTC, datetime, timedelta
from time import perf_counter

from chancy import Chancy, Job, Queue, Worker

from benchmarks.peers.python_program import answer_each_async, main, report
from benchmarks.runs import RunLog

AT_ONCE = 10_000
FLUSH_SECONDS = 0.1
QUEUE = Queue(
    name="numbers",
    concurrency=2_000,
    executor=Chancy.Executor.Async,
    eager_polling=True,
)

log = None


async def number(number: int) -> None:
    log.record(number)


def job(one: int, due: datetime) -> Job:
    return Job(
        func=f"{__name__}.number", queue=QUEUE.name, kwargs={"number": one}, scheduled_at=due
    )


class Program:
    async def setup(self, url: str) -> None:
        async with _open(url) as chancy:
            await chancy.migrate()
            await chancy.declare(QUEUE)

    async def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        due = datetime.now(UTC) + timedelta(days=due_in_days)
        async with _open(url) as chancy:
            began = perf_counter()
            items = [job(one, due) for one in numbers]
            async for _ in chancy.push_many(items, batch_size=AT_ONCE):
                pass
            report(began)

    async def work(self, url: str, runs: RunLog) -> None:
        global log  # noqa: PLW0603 - one worker a process
        log = runs
        async with _open(url) as chancy:
            worker = Worker(chancy)
            worker.send_outgoing_interval = FLUSH_SECONDS
            async with worker:
                await worker.wait_for_shutdown()

    async def trickle(self, url: str) -> None:
        async with _open(url) as chancy:
            await answer_each_async(lambda one: chancy.push(job(one, datetime.now(UTC))))


def _open(url: str) -> Chancy:
    # Its own logger writes a line for each job, which costs more than the job.
    quiet = logging.getLogger("chancy")
    quiet.setLevel(logging.WARNING)
    return Chancy(url, log=quiet)


if __name__ == "__main__":
    main(Program())
