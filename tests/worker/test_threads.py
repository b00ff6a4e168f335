"""The pool for plain functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from jobqueue.core.outcome import NotBegun
from jobqueue.worker.clock import clock
from jobqueue.worker.pools.threads import Threads
from tests.waiting import auntil, until
from tests.worker.playing import play

word: ContextVar[str] = ContextVar("word", default="none")


@contextmanager
def pool(most: int) -> Iterator[Threads]:
    threads = Threads(most, may_begin=lambda: True)
    try:
        yield threads
    finally:
        threads.close()


def test_a_function_gets_its_arguments_and_the_callers_context() -> None:
    seen: list[object] = []

    def note(number: int, *, text: str) -> None:
        seen.append((number, text, word.get()))
        word.set("changed in the thread")

    async def scenario() -> None:
        with pool(1) as threads:
            word.set("the caller's")
            await threads.call(note, [1], {"text": "a"})
            await threads.call(note, [2], {"text": "b"})
            assert word.get() == "the caller's"

    play(scenario())
    assert seen == [(1, "a", "the caller's"), (2, "b", "the caller's")]


@pytest.mark.parametrize(
    "error", [ValueError("a"), SystemExit(2), KeyboardInterrupt(), GeneratorExit(), MemoryError()]
)
def test_whatever_a_function_raises_reaches_the_caller_as_it_is(error: BaseException) -> None:
    def explode() -> None:
        raise error

    async def scenario() -> BaseException:
        with pool(1) as threads:
            try:
                await threads.call(explode, [], {})
            except BaseException as caught:
                return caught
            raise AssertionError("nothing was raised")

    assert play(scenario()) is error


def test_an_error_that_ends_iterations_reaches_the_caller_and_the_thread_lives_on() -> None:
    def explode() -> None:
        next(iter(()))

    async def scenario() -> None:
        with pool(1) as threads:
            with pytest.raises(RuntimeError, match="StopIteration"):
                await threads.call(explode, [], {})
            await threads.call(list, [], {})

    play(scenario())


class Unbound:
    """Like a proxy outside of its request: whoever looks at it gets an error."""

    @property
    def __class__(self) -> type:
        raise LookupError("no request")


def test_a_value_that_cannot_be_looked_at_is_an_error_and_the_thread_lives_on() -> None:
    async def scenario() -> None:
        with pool(1) as threads:
            with pytest.raises(LookupError, match="no request"):
                await threads.call(Unbound, [], {})
            await threads.call(list, [], {})

    play(scenario())


def test_a_function_whose_moment_is_over_when_a_thread_gets_to_it_is_not_called() -> None:
    called: list[str] = []

    async def scenario() -> None:
        with pool(1) as threads:
            await threads.call(called.append, ["on time"], {}, clock() + 60)
            with pytest.raises(NotBegun):
                await threads.call(called.append, ["late"], {}, clock() - 0.001)

    play(scenario())
    assert called == ["on time"]


def test_no_more_threads_run_than_allowed_and_the_busy_ones_are_counted() -> None:
    async def scenario() -> None:
        go_on = threading.Event()
        inside: list[int] = []

        def wait() -> None:
            inside.append(1)
            go_on.wait(20)

        with pool(3) as threads:
            calls = [asyncio.create_task(threads.call(wait, [], {})) for _ in range(7)]
            try:
                await auntil(lambda: threads.busy == 3, what="three threads run")
                assert len(inside) == 3
            finally:
                go_on.set()
            await asyncio.gather(*calls)
            assert (threads.busy, len(inside)) == (0, 7)

    play(scenario())


def test_a_call_that_is_given_up_counts_as_busy_until_its_function_ends() -> None:
    go_on = threading.Event()

    async def scenario() -> Threads:
        with pool(1) as threads:
            call = asyncio.create_task(threads.call(go_on.wait, [20], {}))
            await auntil(lambda: threads.busy == 1, what="the thread runs")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert threads.busy == 1
            return threads

    try:
        threads = play(scenario())
    finally:
        go_on.set()
    until(lambda: threads.busy == 0, what="the function ends")
