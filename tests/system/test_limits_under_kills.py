"""Limits under load and kills: what was recorded outside the database keeps to every one."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.system.processes import Crew, WorkerProcess
from tests.waiting import until
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_concurrency, check_order, check_rate

APPLICATION = """
import asyncio
import os
import time
from pathlib import Path

from jobqueue import Concurrency, JobQueue, RateLimit, Retry

jobs = JobQueue()
HERE = Path(__file__).parent


def note(*words):
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, " ".join(map(str, (os.getpid(), *words))).encode() + b"\\n")
    os.close(file)


async def run(task, number, key):
    began = time.monotonic_ns()
    note(task, number, key, "began", began)
    await asyncio.sleep(0.01)
    note(task, number, key, "ended", time.monotonic_ns())


@jobs.task(concurrency=Concurrency(2, key="key"))
async def keyed(number: int, key: str) -> None:
    await run("keyed", number, key)


@jobs.task(concurrency=Concurrency(1, key="key", ordered=True), retry=Retry(attempts=20))
async def ordered(number: int, key: str) -> None:
    await run("ordered", number, key)


@jobs.task(rate_limit=RateLimit("api", 60))
async def paced(number: int, key: str) -> None:
    await run("paced", number, key)


@jobs.task(rate_limit="api", concurrency=Concurrency(3, key="key"))
async def both(number: int, key: str) -> None:
    await run("both", number, key)
"""

EACH = {"keyed": 400, "ordered": 150, "paced": 200, "both": 100}
KEYS = 6


@pytest.fixture
def limited(tmp_path: Path):
    crew = Crew(tmp_path)
    (tmp_path / "app.py").write_text(APPLICATION)
    yield crew
    crew.end()


def recorded(crew: Crew, killed: dict[int, float]) -> dict[str, list[Ran]]:
    """Read the notes. A run that was cut off ended when its process was killed."""
    began: dict[tuple[int, str, int], tuple[str, float]] = {}
    ran: dict[str, list[Ran]] = {task: [] for task in EACH}
    for pid, words in crew.notes():
        task, number, key, what, at = words.split(" ")
        this = (pid, task, int(number))
        if what == "began":
            began[this] = (key, int(at) / 1e9)
        else:
            _, start = began.pop(this)
            ran[task].append(Ran(int(number), key, start, int(at) / 1e9))
    for (pid, task, number), (key, start) in began.items():
        ran[task].append(Ran(number, key, start, killed[pid]))
    return ran


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_limit_is_kept_while_workers_are_killed(
    books: Books, limited: Crew, seed: int
) -> None:
    chance = random.Random(seed)
    killed: dict[int, float] = {}

    def start() -> WorkerProcess:
        return limited.start(books.url, "--lease", "1s", "--concurrency", "20")

    workers = [start() for _ in range(3)]
    until(lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 3, what="all work")
    for task, count in EACH.items():
        # One in the order of its numbers, each in a transaction of its own.
        for number in range(count):
            books.rows(
                "SELECT jobqueue.enqueue_gated_v1(%s, jsonb_build_array(jsonb_build_object("
                "'number', %s::int, 'key', %s::text)), 'default', 5, NULL, NULL, 20, NULL, NULL,"
                " '1 day', NULL, 'skip', NULL, NULL, %s, %s, %s, ARRAY[''], NULL)",
                [
                    *(task, number, f"k{number % KEYS}"),
                    *(task if task != "paced" else None, [f"k{number % KEYS}"]),
                    "api" if task in {"paced", "both"} else None,
                ],
            )
    for _ in range(5):
        time.sleep(chance.uniform(0.3, 1.0))  # at random, which is the point
        victim = workers.pop(chance.randrange(len(workers)))
        victim.signal(signal.SIGKILL)
        victim.exit_code()
        killed[victim.pid] = time.monotonic()
        workers.append(start())
    until(lambda: books.unfinished() == 0, what="all jobs end", seconds=90)
    assert books.states() == {"completed": sum(EACH.values())}
    ran = recorded(limited, killed)
    for task, count in EACH.items():
        assert {one.job for one in ran[task]} == set(range(count))
    check_concurrency(ran["keyed"], amount=2)
    check_concurrency(ran["ordered"], amount=1)
    check_order(ran["ordered"])
    check_concurrency(ran["both"], amount=3)
    shared = [Ran(one.job, "", one.began, one.ended) for one in ran["paced"] + ran["both"]]
    check_rate(shared, amount=60, per=1.0)
