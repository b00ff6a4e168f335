"""PgQueuer: see benchmarks/peers/python_program.py for the command line."""

import logging
from datetime import timedelta
from time import perf_counter

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers.python_program import answer_each_async, chunks, main, report, stop_signal
from benchmarks.runs import RunLog

BATCH = 1_000
# The listener keeps one; claims and acknowledgements overlap on the others.
POOL = 4
AT_ONCE = 10_000
ENTRYPOINT = "number"


async def open_queries(url: str) -> tuple[asyncpg.Connection, Queries]:
    connection = await asyncpg.connect(url)
    return connection, Queries(AsyncpgDriver(connection))


class Program:
    async def setup(self, url: str) -> None:
        connection, queries = await open_queries(url)
        await queries.install()
        await connection.close()

    async def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        connection, queries = await open_queries(url)
        due = timedelta(days=due_in_days) if due_in_days else None
        began = perf_counter()
        for some in chunks(numbers, AT_ONCE):
            count = len(some)
            payloads = [b"%d" % one for one in some]
            await queries.enqueue([ENTRYPOINT] * count, payloads, [0] * count, [due] * count)
        report(began)
        await connection.close()

    async def work(self, url: str, log: RunLog) -> None:
        logging.getLogger("pgqueuer").setLevel(logging.WARNING)
        stop = stop_signal()
        pool = await asyncpg.create_pool(url, min_size=POOL, max_size=POOL)
        queuer = PgQueuer(AsyncpgPoolDriver(pool))
        queuer.shutdown = queuer.qm.shutdown = queuer.sm.shutdown = stop

        @queuer.entrypoint(ENTRYPOINT)
        async def number(job: Job) -> None:
            log.record(int(job.payload))

        await queuer.run(batch_size=BATCH)
        await pool.close()

    async def trickle(self, url: str) -> None:
        connection, queries = await open_queries(url)
        await answer_each_async(lambda one: queries.enqueue(ENTRYPOINT, b"%d" % one))
        await connection.close()


if __name__ == "__main__":
    main(Program())
