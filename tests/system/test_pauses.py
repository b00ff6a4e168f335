"""Pauses with real processes: all see them within a second, and nothing that happens ends them."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobqueue import JobQueue
from tests.system.processes import Crew, WorkerProcess
from tests.system.test_server_restarts import Server
from tests.system.test_server_restarts import empty as empty  # noqa: PLC0414 - a fixture
from tests.system.test_server_restarts import server as server  # noqa: PLC0414 - a fixture
from tests.waiting import until
from tests.worker.books import Books
from tests.worker.pauses_kept import Began, Pause, check_pauses, check_resumed

APPLICATION = """
import asyncio
import os
import time
from pathlib import Path

from jobqueue import Concurrency, JobQueue

jobs = JobQueue()
HERE = Path(__file__).parent


def note(*words):
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, " ".join(map(str, (os.getpid(), *words))).encode() + b"\\n")
    os.close(file)


@jobs.task(queue="mail")
async def send(number: int) -> None:
    note(number, "mail", "send", "-", time.monotonic_ns())
    await asyncio.sleep(0.01)


@jobs.task(queue="mail")
async def receive(number: int) -> None:
    note(number, "mail", "receive", "-", time.monotonic_ns())
    await asyncio.sleep(0.01)


@jobs.task(concurrency=Concurrency(20, key="key", name="imports"))
async def load(number: int, key: str) -> None:
    note(number, "default", "load", key, time.monotonic_ns())
    await asyncio.sleep(0.01)
"""
KEYS = ("a", "b")
OPTIONS = ("--lease", "2s", "--queue", "mail=4", "--queue", "default=4")


@pytest.fixture
def pausing(tmp_path: Path):
    crew = Crew(tmp_path)
    (tmp_path / "app.py").write_text(APPLICATION)
    yield crew
    crew.end()


def began(crew: Crew) -> list[Began]:
    found: list[Began] = []
    for _, words in crew.notes():
        number, queue, task, key, at = words.split(" ")
        found.append(Began(int(number), queue, task, key, int(at) / 1e9))
    return found


class Jobs:
    """Enqueues jobs of all kinds, so that there is always work of each; and pauses them."""

    def __init__(self, url: str) -> None:
        self.books = Books(url)
        self.jobs = JobQueue()
        self.number = 0
        self.pauses: list[Pause] = []

    def more(self, each: int = 150) -> None:
        first, self.number = self.number, self.number + 4 * each
        for task, offset in (("send", 0), ("receive", 1)):
            self.books.rows(
                "SELECT jobqueue.enqueue_many_v1(%s, (SELECT jsonb_agg(jsonb_build_object("
                "'number', %s::int + 4 * n)) FROM generate_series(0, %s - 1) n), queue => 'mail')",
                [task, first + offset, each],
            )
        for key, offset in zip(KEYS, (2, 3), strict=True):
            self.books.rows(
                "SELECT jobqueue.enqueue_many_v1('load', (SELECT jsonb_agg(jsonb_build_object("
                "'number', %s::int + 4 * n, 'key', %s::text)) FROM generate_series(0, %s - 1) n))",
                [first + offset, key, each],
            )

    def pause(self, kind: str, name: str, meanwhile: Callable[[], None], seconds: float) -> None:
        """Pause something for a while."""
        what = {"limit": "imports", "key": name} if kind == "key" else {kind: name}
        assert self.jobs.pause(self.books.connection, **what)
        paused_at = time.monotonic()
        meanwhile()
        until(lambda: time.monotonic() >= paused_at + seconds, what="time passes")
        self.more(50)
        resumed_at = time.monotonic()
        assert self.jobs.resume(self.books.connection, **what)
        self.pauses.append(Pause(kind, name, paused_at, resumed_at))


@pytest.mark.parametrize("seed", [1, 2])
def test_pauses_hold_on_all_workers_while_some_are_killed_and_started(
    books: Books, pausing: Crew, seed: int
) -> None:
    chance = random.Random(seed)
    it = Jobs(books.url)
    workers = [pausing.start(books.url, *OPTIONS) for _ in range(3)]
    until(lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 3, what="all work")
    it.more()
    until(lambda: len(began(pausing)) > 100, what="jobs run")

    def replace() -> None:
        time.sleep(chance.uniform(0.1, 0.6))  # at random, which is the point
        victim: WorkerProcess = workers.pop(chance.randrange(len(workers)))
        victim.signal(signal.SIGKILL)
        victim.exit_code()
        workers.append(pausing.start(books.url, *OPTIONS))

    things = [("queue", "mail"), ("task", "send"), ("key", "a"), ("task", "load"), ("key", "b")]
    chance.shuffle(things)
    for kind, name in things:
        it.more()
        it.pause(kind, name, replace, 2.5)
        until(
            lambda kind=kind, name=name: any(
                getattr(one, kind) == name and one.at > it.pauses[-1].resumed_at
                for one in began(pausing)
            ),
            what="it goes on",
        )
    until(lambda: books.unfinished() == 0, what="all jobs end", seconds=60)
    assert books.states() == {"completed": it.number}
    ran = began(pausing)
    it.books.close()
    assert {one.job for one in ran} == set(range(it.number))
    check_pauses(ran, it.pauses)
    check_resumed(ran, it.pauses, within=5.0)


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_a_pause_outlives_a_restart_of_the_server(empty: Server, pausing: Crew, how: str) -> None:
    it = Jobs(empty.url)
    worker = pausing.start(empty.url, *OPTIONS)
    it.more(50)
    until(lambda: it.books.unfinished() == 0, what="all run")
    for kind, name in (("queue", "mail"), ("key", "a")):
        what = {"limit": "imports", "key": name} if kind == "key" else {kind: name}
        it.jobs.pause(it.books.connection, **what)
    paused_at = time.monotonic()
    it.books.close()
    empty.stop() if how == "stop" else empty.crash()
    until(lambda: "trying again" in worker.log, what="the worker notices")
    empty.start()
    late = pausing.start(empty.url, *OPTIONS)
    again = Jobs(empty.url)
    again.number = it.number
    again.more(50)
    until(lambda: again.books.states().get("completed", 0) == 250, what="the others run")
    assert again.books.states() == {"completed": 250, "available": 100, "gated": 50}
    time.sleep(1.5)  # nothing is to happen
    resumed_at = time.monotonic()
    again.jobs.resume(again.books.connection, queue="mail")
    again.jobs.resume(again.books.connection, limit="imports", key="a")
    until(lambda: again.books.unfinished() == 0, what="all run")
    again.books.close()
    things = (("queue", "mail"), ("key", "a"))
    pauses = [Pause(kind, name, paused_at, resumed_at) for kind, name in things]
    check_pauses(began(pausing), pauses)
    check_resumed(began(pausing), pauses, within=5.0)
    assert (worker.stop(), late.stop()) == (0, 0)


def test_a_worker_that_is_cut_off_from_its_notifications_sees_a_pause_within_a_second(
    books: Books, pausing: Crew
) -> None:
    it = Jobs(books.url)
    worker = pausing.start(books.url, *OPTIONS)
    it.more(1000)
    until(lambda: len(began(pausing)) > 100, what="jobs run")
    gone = books.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%%' AND datname = current_database()"
    )
    assert gone
    it.pause("queue", "mail", lambda: None, 2.0)
    until(lambda: books.unfinished() == 0, what="all run", seconds=40)
    it.books.close()
    check_pauses(began(pausing), it.pauses)
    assert worker.stop() == 0
