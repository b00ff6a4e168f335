"""What a worker says of its health is true."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from jobqueue import JobQueue
from jobqueue.observe.health import live, ready
from tests.observe.test_worker_metrics import SIGNS
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


@pytest.mark.parametrize(
    ("signs", "is_live", "problem"),
    [
        ({}, True, None),
        ({"working": False}, True, "has not begun"),
        ({"draining": True}, True, "drains"),
        ({"claim_failed": True, "database_age": 12.0}, True, "answered 12.0 s ago"),
        ({"turned_age": 31.0}, True, "stood still for 31 s"),
        ({"turned_age": 31.0, "longest_turn_seconds": 60.0}, True, None),
        ({"heartbeat_age": 21.0}, True, "renewed 21.0 s ago"),
        ({"silent_seconds": 2.0}, True, "not answered for 2.0 s"),
        ({"silent_seconds": 601.0}, False, "not answered for 601.0 s"),
    ],
)
def test_each_sign_is_judged(signs: dict[str, Any], is_live: bool, problem: str | None) -> None:
    judged = ready(replace(SIGNS, **signs))
    assert judged.good == (problem is None)
    assert problem is None or any(problem in one for one in judged.problems)
    assert live(replace(SIGNS, **signs)).good == is_live


def test_a_worker_is_ready_while_it_works_and_not_when_the_database_is_gone(
    books: Books,
) -> None:
    jobs = JobQueue()

    @jobs.task
    async def nothing() -> None: ...

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            outlook = it.worker.outlook

            async def health(kind: str) -> bool:
                return (await asyncio.to_thread(outlook.health, kind)).good

            await auntil(lambda: health("ready"), what="it is ready")
            books.rows("ALTER TABLE jobqueue.workers RENAME TO gone")
            try:
                await auntil(lambda: unready(outlook), what="it is not")
                assert await health("live")
            finally:
                books.rows("ALTER TABLE jobqueue.gone RENAME TO workers")
            await auntil(lambda: health("ready"), what="it is ready again")
            it.stop()
        assert not outlook.health("ready").good

    play(scenario())


def test_a_job_that_blocks_the_event_loop_makes_it_unready_but_alive(books: Books) -> None:
    jobs = JobQueue(books.url)
    blocked: list[float] = []

    @jobs.task
    async def blocks() -> None:
        blocked.append(time.monotonic())
        time.sleep(4)  # noqa: ASYNC251 - that is what is tested

    async def scenario() -> None:
        async with running(jobs, books.url) as it:
            outlook = it.worker.outlook
            loop = asyncio.get_running_loop()

            def look() -> tuple[bool, bool, float]:
                while not blocked:
                    time.sleep(0.01)
                is_ready = outlook.health("ready").good
                return is_ready, outlook.health("live").good, time.monotonic() - blocked[0]

            looking = loop.run_in_executor(None, look)
            await asyncio.to_thread(blocks.enqueue_now)
            is_ready, is_live, after = await looking
            assert after < 4, "they were told while it was blocked"
            assert (is_ready, is_live) == (False, True)
            await auntil(
                lambda: asyncio.to_thread(lambda: outlook.health("ready").good), what="it is again"
            )

    play(scenario())


async def unready(outlook: Any) -> bool:
    return not (await asyncio.to_thread(outlook.health, "ready")).good
