"""DBOS: see benchmarks/peers/python_program.py for the command line."""

import os
import signal
import threading
from time import perf_counter

import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.peers.python_program import answer_each, main, report
from benchmarks.runs import RunLog

QUEUE = "numbers"
CONCURRENCY = 1_000
POLL_SECONDS = 0.05
POOL = 20
DAY_SECONDS = 86_400
JOB = {"queue_name": QUEUE, "workflow_name": "number"}

log = None


@DBOS.workflow(name="number")
def number(number: int) -> None:
    log.record(number)


class Program:
    def setup(self, url: str) -> None:
        _launch(url)
        DBOS.register_queue(
            QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_SECONDS
        )
        DBOS.destroy()

    def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        engine = sqlalchemy.create_engine(_for_sqlalchemy(url))
        client = DBOSClient(system_database_engine=engine)
        options = JOB | {"delay_seconds": due_in_days * DAY_SECONDS} if due_in_days else JOB
        began = perf_counter()
        with engine.begin() as connection:
            for one in numbers:
                client.enqueue_in_transaction(connection, options, one)
        report(began)
        client.destroy()

    def work(self, url: str, runs: RunLog) -> None:
        global log  # noqa: PLW0603 - one worker a process
        log = runs
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        _launch(url)
        stop.wait()
        DBOS.destroy()

    def trickle(self, url: str) -> None:
        client = DBOSClient(system_database_url=_for_sqlalchemy(url))
        answer_each(lambda one: client.enqueue(JOB, one))
        client.destroy()


def _launch(url: str) -> None:
    DBOS(
        config={
            "name": "peers",
            "system_database_url": _for_sqlalchemy(url),
            "sys_db_pool_size": POOL,
            "application_version": "1",
            # A worker that starts takes what another of its name holds for left by a crash.
            "executor_id": f"worker {os.getpid()}",
            "log_level": "WARNING",
        }
    )
    DBOS.launch()


def _for_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


if __name__ == "__main__":
    main(Program())
