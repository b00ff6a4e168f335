"""Oban for Python: see benchmarks/peers/python_program.py for the command line."""

from datetime import timedelta
from time import perf_counter

import oban
from oban.schema import install

from benchmarks.peers.python_program import answer_each_async, chunks, main, report, stop_signal
from benchmarks.runs import RunLog

LIMIT = 500
AT_ONCE = 10_000

log = None


@oban.worker(queue="default")
class Number:
    async def process(self, job: oban.Job) -> None:
        log.record(job.args["number"])


class Program:
    async def setup(self, url: str) -> None:
        pool = await oban.Oban.create_pool(url)
        await install(pool)
        await pool.close()

    async def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        pool = await oban.Oban.create_pool(url)
        queue = oban.Oban(pool=pool)
        options = {"scheduled_in": timedelta(days=due_in_days)} if due_in_days else {}
        began = perf_counter()
        for some in chunks(numbers, AT_ONCE):
            await queue.enqueue_many(Number.new({"number": one}, **options) for one in some)
        report(began)
        await pool.close()

    async def work(self, url: str, runs: RunLog) -> None:
        global log  # noqa: PLW0603 - one worker a process
        log = runs
        stop = stop_signal()
        pool = await oban.Oban.create_pool(url)
        async with oban.Oban(pool=pool, queues={"default": LIMIT}):
            await stop.wait()
        await pool.close()

    async def trickle(self, url: str) -> None:
        pool = await oban.Oban.create_pool(url)
        queue = oban.Oban(pool=pool)
        await answer_each_async(lambda one: queue.enqueue(Number.new({"number": one})))
        await pool.close()


if __name__ == "__main__":
    main(Program())
