"""A cancellation that comes in an unlucky moment, and one that is swallowed: nothing hangs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from jobqueue.worker import background
from jobqueue.worker.background import Background, is_set
from tests.worker.playing import play


def test_a_wait_that_is_over_and_cancelled_in_one_moment_is_cancelled() -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(is_set(event, seconds=60))
        await asyncio.sleep(0)
        event.set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    play(scenario(), seconds=5)


def test_a_wait_says_whether_it_was_in_time() -> None:
    async def scenario() -> tuple[bool, bool]:
        event = asyncio.Event()
        early = await is_set(event, seconds=0)
        asyncio.get_running_loop().call_soon(event.set)
        return early, await is_set(event, seconds=60)

    assert play(scenario(), seconds=5) == (False, True)


def test_what_swallows_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN_SECONDS", 0.01)
    swallowed: list[str] = []

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        swallowed.append("once")
        await asyncio.sleep(60)

    async def scenario() -> None:
        async with Background([stubborn()]):
            await asyncio.sleep(0.01)

    play(scenario(), seconds=5)
    assert swallowed == ["once"]
