"""A worker that was frozen starts nothing of what it claimed before: others have it by now."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobqueue import JobQueue, current_job
from jobqueue.store import claims, maintenance, workers
from jobqueue.store.statement import Statement, run
from jobqueue.worker import lease
from jobqueue.worker.link import Link
from jobqueue.worker.pools.threads import Call, Threads
from jobqueue.worker.runner import Runner
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

CLAIM = claims.claim(0, {}, []).text
HEARTBEAT = workers.heartbeat(0, lease_seconds=1, draining=False).text
LEASE_SECONDS = 30.0


class Freeze:
    """Freezes the worker after its first claim is committed and before it hears of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, books: Books, *, lost: bool) -> None:
        self._books = books
        self._lost = lost
        self._slept = 0.0
        self.frozen = False
        self._run = Link.run
        monkeypatch.setattr(lease, "clock", self._clock)
        freeze = self

        async def run_and_freeze(link: Link, statement: Statement[Any]) -> list[Any]:
            rows = await freeze._run(link, statement)
            if statement.text == CLAIM and claims.look([*rows]).jobs and not freeze.frozen:
                freeze._freeze()
            return rows

        monkeypatch.setattr(Link, "run", run_and_freeze)
        self._real = clock

    def _clock(self) -> float:
        return self._real() + self._slept

    def _freeze(self) -> None:
        self.frozen = True
        self._slept = LEASE_SECONDS + 1
        if self._lost:
            self._books.rows("UPDATE jobqueue.workers SET expires_at = now() - interval '1 s'")
            run(self._books.execute, maintenance.rescue())

    def freeze_before(self, monkeypatch: pytest.MonkeyPatch, cls: type, method: str) -> None:
        """Freeze when `method` is called first, rather than after a claim."""
        monkeypatch.setattr(Link, "run", self._run)
        called = getattr(cls, method)

        def freeze_and_call(*args: Any, **kwargs: Any) -> Any:
            if not self.frozen:
                self._freeze()
            return called(*args, **kwargs)

        monkeypatch.setattr(cls, method, freeze_and_call)


clock = lease.clock


@pytest.mark.parametrize("lost", [True, False], ids=["given to others", "nobody took it"])
def test_what_was_claimed_before_the_freeze_starts_only_if_it_is_still_the_workers(
    books: Books, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    jobs = JobQueue()
    attempts: list[int] = []

    @jobs.task
    async def note() -> None:
        attempts.append(current_job().attempt)

    freeze = Freeze(monkeypatch, books, lost=lost)

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=LEASE_SECONDS):
            for _ in range(3):
                note.enqueue(books.connection)
            await auntil(lambda: books.unfinished() == 0, what="all jobs have ended")

    play(scenario())
    assert freeze.frozen
    assert len(attempts) == 3
    # It finds out by a heartbeat at once; well before the next one would have been due.
    assert (2 in attempts) == lost
    assert books.states() == {"completed": 3}
    taken = books.rows("SELECT attempt FROM jobqueue.job_history WHERE errors IS NOT NULL")
    assert all(attempt == 2 for (attempt,) in taken)
    assert bool(taken) == lost


@pytest.mark.parametrize(
    ("where", "method"),
    [(Threads, "call"), (Call, "run"), (Runner, "_attempt")],
    ids=["handed to a thread", "in its thread", "made a task"],
)
@pytest.mark.parametrize("lost", [True, False], ids=["given to others", "nobody took it"])
def test_a_job_on_its_way_to_its_function_does_not_begin_after_the_freeze(
    books: Books, monkeypatch: pytest.MonkeyPatch, where: type, method: str, lost: bool
) -> None:
    jobs = JobQueue()
    attempts: list[int] = []

    @jobs.task
    def note() -> None:
        attempts.append(current_job().attempt)

    freeze = Freeze(monkeypatch, books, lost=lost)
    freeze.freeze_before(monkeypatch, where, method)

    async def scenario() -> None:
        async with running(jobs, books.url, lease_seconds=LEASE_SECONDS):
            note.enqueue(books.connection)
            await auntil(lambda: books.unfinished() == 0, what="the job has ended")

    play(scenario())
    assert freeze.frozen
    # It ran once; the attempt that did not begin counts if it was lost.
    assert attempts == [2 if lost else 1]
    assert books.states() == {"completed": 1}


def test_a_worker_in_doubt_goes_on_however_late_its_heartbeat_is_answered(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then it has handed back what it held, and nobody else would wake it."""
    jobs = JobQueue()

    @jobs.task
    async def note() -> None: ...

    freeze = Freeze(monkeypatch, books, lost=False)
    frozen_run = Link.run
    late = asyncio.Event()

    async def answer_late(link: Link, statement: Statement[Any]) -> list[Any]:
        rows = await frozen_run(link, statement)
        if statement.text == HEARTBEAT and freeze.frozen and not late.is_set():
            await auntil(lambda: books.states() == {"available": 1}, what="it is handed back")
            late.set()
        return rows

    monkeypatch.setattr(Link, "run", answer_late)

    async def scenario() -> None:
        # One slot, so that with a job in hand the claimer waits for the end of a job.
        one = {"default": 1}
        async with running(jobs, books.url, queues=one, lease_seconds=LEASE_SECONDS):
            note.enqueue(books.connection)
            await auntil(late.is_set, what="the heartbeat is answered")
            await auntil(lambda: books.unfinished() == 0, what="the job has ended")

    play(scenario())
    assert books.states() == {"completed": 1}
