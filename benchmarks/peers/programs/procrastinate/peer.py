"""Procrastinate: see benchmarks/peers/python_program.py for the command line."""

import logging
from datetime import UTC, datetime, timedelta
from time import perf_counter

import procrastinate

from benchmarks.peers.python_program import answer_each_async, chunks, main, report
from benchmarks.runs import RunLog

CONCURRENCY = 30
POOL = 20
AT_ONCE = 10_000

log = None


async def number(number: int) -> None:
    log.record(number)


def open_app(url: str, connections: int = 1) -> tuple[procrastinate.App, procrastinate.tasks.Task]:
    connector = procrastinate.PsycopgConnector(
        conninfo=url, min_size=connections, max_size=connections
    )
    app = procrastinate.App(connector=connector)
    return app, app.task(name="number")(number)


class Program:
    async def setup(self, url: str) -> None:
        app, _ = open_app(url)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        app, task = open_app(url)
        due = datetime.now(UTC) + timedelta(days=due_in_days) if due_in_days else None
        async with app.open_async():
            began = perf_counter()
            for some in chunks(numbers, AT_ONCE):
                items = [{"number": one} for one in some]
                await task.configure(schedule_at=due).batch_defer_async(*items)
            report(began)

    async def work(self, url: str, runs: RunLog) -> None:
        global log  # noqa: PLW0603 - one worker a process
        log = runs
        # A line for each job costs more than the job.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        app, _ = open_app(url, POOL)
        async with app.open_async():
            await app.run_worker_async(
                concurrency=CONCURRENCY, delete_jobs="always", shutdown_graceful_timeout=5.0
            )

    async def trickle(self, url: str) -> None:
        app, task = open_app(url)
        async with app.open_async():
            await answer_each_async(lambda one: task.defer_async(number=one))


if __name__ == "__main__":
    main(Program())
