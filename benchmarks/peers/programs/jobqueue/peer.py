"""This checkout: see benchmarks/peers/python_program.py for the command line."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import psycopg

from benchmarks.peers.python_program import answer_each, main, report
from benchmarks.runs import RunLog
from jobqueue import JobQueue

URL_VARIABLE = "JOBQUEUE_DATABASE_URL"
LOG_VARIABLE = "JOBQUEUE_PEER_LOG"

jobs = JobQueue()
keeps_history = os.environ.get("JOBQUEUE_PEER_HISTORY") != "no"
log = RunLog(Path(os.environ[LOG_VARIABLE])) if LOG_VARIABLE in os.environ else None


@jobs.task(history=keeps_history)
async def number(number: int) -> None:
    log.record(number)


class Program:
    def setup(self, url: str) -> None:
        _become(url, "migrate")

    def fill(self, url: str, numbers: range, due_in_days: float) -> None:
        items = [{"number": one} for one in numbers]
        task = number.using(delay=timedelta(days=due_in_days)) if due_in_days else number
        with psycopg.connect(url) as connection:
            began = perf_counter()
            task.enqueue_bulk(connection, items)
            connection.commit()
            report(began)

    def work(self, url: str, log: RunLog) -> None:
        log.close()
        os.environ[LOG_VARIABLE] = sys.argv[3]
        # The command finds this file as a module, in the folder it is started in.
        os.chdir(Path(__file__).parent)
        _become(url, "worker", "peer:jobs", "--queue", "default=10")

    def trickle(self, url: str) -> None:
        with psycopg.connect(url) as connection:

            def enqueue(one: int) -> None:
                number.enqueue(connection, number=one)
                connection.commit()

            answer_each(enqueue)


def _become(url: str, *arguments: str) -> None:
    """Go on as the command line of jobqueue, in this process."""
    os.environ[URL_VARIABLE] = url
    os.execv(sys.executable, [sys.executable, "-m", "jobqueue", *arguments])


if __name__ == "__main__":
    main(Program())
