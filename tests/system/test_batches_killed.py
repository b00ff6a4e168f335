"""Batches with real processes: workers killed while they collect, while they run, and at random."""

from __future__ import annotations

import json
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.processes import Crew, WorkerProcess
from tests.waiting import until
from tests.worker.batches_kept import Ran, check_apart, check_once, check_sizes, check_waits
from tests.worker.books import Books

APPLICATION = """
import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from jobqueue import Batch, JobQueue, Retry, Unique

jobs = JobQueue()
HERE = Path(__file__).parent


def note(**words):
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.getpid()} {json.dumps(words)}\\n".encode())
    os.close(file)


@dataclass
class Item:
    number: int


async def run(task, items):
    numbers = [item.number for item in items]
    began = time.time()
    note(task=task, numbers=numbers, began=began)
    while (HERE / "hold").exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)
    note(task=task, numbers=numbers, ended=time.time())


@jobs.task(batch=Batch(size=20, wait=0.3), retry=Retry(attempts=20))
async def index(items: list[Item]) -> None:
    await run("index", items)


@jobs.task(batch=Batch(size=20, wait=60), retry=Retry(attempts=20))
async def patient(items: list[Item]) -> None:
    await run("patient", items)


@jobs.task(
    batch=Batch(size=20, wait=0.3),
    retry=Retry(attempts=20),
    unique=Unique(lambda number: f"{number % 50}", "skip"),
)
async def unique(items: list[Item]) -> None:
    await run("unique", items)
"""
WAIT = 0.3


@pytest.fixture
def batching(tmp_path: Path):
    crew = Crew(tmp_path)
    (tmp_path / "app.py").write_text(APPLICATION)
    yield crew
    crew.end()


def enqueue(books: Books, task: str, first: int, count: int, *, priority: int = 5) -> None:
    books.rows(
        "SELECT jobqueue.enqueue_many_v1(%s, (SELECT jsonb_agg(jsonb_build_object('number', n))"
        " FROM generate_series(%s::int, %s::int) n), priority => %s)",
        [task, first, first + count - 1, priority],
    )


def recorded(crew: Crew, task: str, killed: dict[int, float]) -> tuple[list[Ran], dict[int, float]]:
    """Read the notes: the batches of a task, and when those were cut off that did not end."""
    ran: list[Ran] = []
    ends: dict[int, float] = {}
    open_: dict[tuple[int, tuple[int, ...]], int] = {}
    for pid, words in crew.notes():
        it = json.loads(words)
        if it["task"] != task:
            continue
        this = (pid, tuple(it["numbers"]))
        if "began" in it:
            open_[this] = len(ran)
            ran.append(Ran(this[1], (it["began"],), it["began"], None, killed.get(pid)))
        else:
            at = open_.pop(this)
            ran[at] = replace(ran[at], ended=it["ended"])
    for (pid, _), at in open_.items():
        ends[at] = killed[pid]
    return ran, ends


def kill(worker: WorkerProcess, killed: dict[int, float]) -> None:
    worker.signal(signal.SIGKILL)
    worker.exit_code()
    killed[worker.pid] = time.time()


def running(books: Books) -> int:
    return books.states().get("running", 0)


def test_what_a_killed_worker_had_collected_is_taken_by_another(
    books: Books, batching: Crew
) -> None:
    killed: dict[int, float] = {}
    enqueue(books, "patient", 0, 15)
    first = batching.start(books.url, "--lease", "1s")
    until(lambda: running(books) == 15, what="it collects")
    kill(first, killed)
    enqueue(books, "patient", 15, 5)  # the batch is full with these
    second = batching.start(books.url, "--lease", "1s")
    until(lambda: books.unfinished() == 0, what="all have ended")
    ran, ends = recorded(batching, "patient", killed)
    assert ends == {}
    check_sizes(ran, size=20)
    check_once(ran, range(20))
    # The first worker had counted an attempt that never began.
    attempts = books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history ORDER BY 1")
    assert attempts == [(1,), (2,)]
    assert second.stop() == 0


def test_a_batch_that_was_running_runs_again_elsewhere(books: Books, batching: Crew) -> None:
    killed: dict[int, float] = {}
    (batching.folder / "hold").touch()
    enqueue(books, "index", 0, 20)
    first = batching.start(books.url, "--lease", "1s")
    until(batching.notes, what="the batch runs")
    kill(first, killed)
    (batching.folder / "hold").unlink()
    second = batching.start(books.url, "--lease", "1s")
    until(lambda: books.unfinished() == 0, what="all have ended")
    ran, ends = recorded(batching, "index", killed)
    assert len(ends) == 1
    check_once(ran, range(20))
    check_apart(ran, ends)
    assert books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history") == [(2,)]
    assert second.stop() == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_batches_are_kept_while_workers_are_killed(books: Books, batching: Crew, seed: int) -> None:
    chance = random.Random(seed)
    killed: dict[int, float] = {}
    options = ("--lease", "1s", "--concurrency", "4")
    workers = [batching.start(books.url, *options) for _ in range(3)]
    until(lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 3, what="all work")
    number = 0
    for _ in range(5):
        for _ in range(6):
            count = chance.randrange(1, 60)
            enqueue(books, "index", number, count, priority=chance.choice([1, 5, 9]))
            enqueue(books, "unique", number, count, priority=chance.choice([1, 5, 9]))
            number += count
            time.sleep(chance.uniform(0.0, 0.2))  # at random, which is the point
        victim = workers.pop(chance.randrange(len(workers)))
        kill(victim, killed)
        workers.append(batching.start(books.url, *options))
    until(lambda: books.unfinished() == 0, what="all have ended", seconds=60)
    for task in ("index", "unique"):
        numbers = {
            row[0]
            for row in books.rows(
                "SELECT (args ->> 'number')::int FROM jobqueue.job_history WHERE task = %s", [task]
            )
        }
        ran, ends = recorded(batching, task, killed)
        check_sizes(ran, size=20)
        check_once(ran, numbers)
        check_apart(ran, ends)
    assert set(books.states()) == {"completed"}
    assert books.value("SELECT count(*) FROM jobqueue.job_history WHERE task = 'index'") == number
    # Taken, by the database's word, and begun, by the batch's: on one machine, with one clock.
    taken = dict(
        books.rows(
            "SELECT (args ->> 'number')::int, extract(epoch FROM started_at)::float8"
            " FROM jobqueue.job_history WHERE task = 'index'"
        )
    )
    whole = [one for one in recorded(batching, "index", killed)[0] if one.ended is not None]
    timed = [
        Ran(one.jobs, tuple(taken[job] for job in one.jobs), one.began, one.ended) for one in whole
    ]
    check_waits(timed, wait=WAIT, slack=0.5)
    assert max(len(one.jobs) for one in whole) > 5
