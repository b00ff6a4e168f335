"""One connection that is made again when it breaks."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from jobqueue import DatabaseUnavailable
from jobqueue.store import workers
from jobqueue.store.statement import Statement, first
from jobqueue.worker.link import LONGEST_PAUSE_SECONDS, Link, Pauses, first_contact
from tests.worker.books import Books
from tests.worker.playing import play

PID = Statement("SELECT pg_backend_pid()", {}, first)
SETTINGS = Statement(
    "SELECT current_setting('jit'), current_setting('plan_cache_mode'), "
    "current_setting('lock_timeout')",
    {},
    tuple,
)


def test_pauses_double_from_a_tenth_of_a_second_to_a_second_and_start_over() -> None:
    pauses = Pauses()
    assert [pauses.next_seconds() for _ in range(6)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    )
    pauses.reset()
    assert pauses.next_seconds() == pytest.approx(0.1)


def test_a_link_fails_once_when_its_connection_breaks_and_then_connects_anew(
    books: Books,
) -> None:
    async def scenario() -> None:
        link = Link(books.url, "test")
        try:
            assert not link.open, "nothing is opened before it is used"
            [before] = await link.run(PID)
            [settings] = await link.run(SETTINGS)
            assert books.cut("jobqueue test") == 1
            with pytest.raises(psycopg.OperationalError):
                await link.run(PID)
            assert not link.open
            [after] = await link.run(PID)
            assert after != before
            assert await link.run(SETTINGS) == [settings], "set up as the first one was"
            assert settings == ("off", "force_generic_plan", "5s")
        finally:
            await link.close()

    play(scenario())


def test_statements_asked_for_at_once_run_one_after_the_other(books: Books) -> None:
    async def scenario() -> None:
        link = Link(books.url, "test")
        try:
            answers = await asyncio.gather(
                *(link.run(Statement("SELECT %(n)s::int", {"n": n}, first)) for n in range(50))
            )
            assert answers == [[n] for n in range(50)]
        finally:
            await link.close()

    play(scenario())


def test_a_statement_that_is_wrong_leaves_the_connection_usable(books: Books) -> None:
    async def scenario() -> None:
        link = Link(books.url, "test")
        try:
            [before] = await link.run(PID)
            with pytest.raises(psycopg.errors.DivisionByZero):
                await link.run(Statement("SELECT 1 / 0", {}, first))
            assert await link.run(PID) == [before]
        finally:
            await link.close()

    play(scenario())


def test_a_statement_that_was_cancelled_does_not_leave_its_answer_to_the_next(
    books: Books,
) -> None:
    async def scenario() -> None:
        link = Link(books.url, "test")
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await link.run(Statement("SELECT 'late' FROM pg_sleep(20)", {}, first))
            assert await link.run(Statement("SELECT 'mine'", {}, first)) == ["mine"]
        finally:
            await link.close()

    play(scenario())


def test_a_closed_link_opens_again_when_it_is_used(books: Books) -> None:
    async def scenario() -> None:
        link = Link(books.url, "test")
        try:
            await link.run(workers.probe())
            await link.close()
            assert not link.open
            assert await link.run(workers.probe()) == [1]
        finally:
            await link.close()

    play(scenario())


def test_first_contact_gives_up_after_its_time_and_says_why() -> None:
    async def scenario() -> float:
        link = Link("postgresql://nobody@/nothing?host=/nowhere", "test")
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=r"within 0\.5 s .*/nowhere"):
            await first_contact(link, 0.5)
        return time.monotonic() - began

    assert play(scenario()) < 3
