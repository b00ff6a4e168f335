"""A job never stays behind a long one in a process's hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.waiting import auntil
from tests.worker.playing import play
from tests.worker.processes.playing import (
    has_noted,
    job,
    known_as_short,
    lines,
    pool,
    started,
)


@pytest.mark.parametrize("task", ["noted", "spin"])
def test_jobs_behind_one_that_turns_out_long_are_run_by_another_process(
    tmp_path: Path, task: str
) -> None:
    """Also behind one that lets nothing else run in its process, which then cannot be asked."""
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(size=2, interrupt_seconds=0.1) as processes:
            await known_as_short(processes, task, path="/dev/null", text="warm")
            calls = [
                started(processes, job(task, path=str(path), text="long", seconds=3600)),
                *(started(processes, job(task, path=str(path), text=f"{n}")) for n in range(40)),
            ]
            await has_noted(path, "long")
            for call in calls[1:]:
                assert (await call).kind == "completed"
            assert not calls[0].done()
            calls[0].cancel()
            await asyncio.wait([calls[0]])

    play(scenario())
    assert sorted(lines(path)) == sorted(["long", *(f"{n}" for n in range(40))])


def test_a_job_is_not_sent_behind_one_of_a_task_that_is_not_known_to_be_short(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notes"
    begun: list[int] = []

    async def scenario() -> None:
        async with pool() as processes:
            long = started(processes, job("noted", path=str(path), text="long", seconds=3600))
            await has_noted(path, "long")
            short = asyncio.create_task(
                processes.call(job("nothing"), on_begin=lambda: begun.append(1))
            )
            for _ in range(10):
                await asyncio.sleep(0)
            [child] = processes._children
            assert len(child.pending) == 1
            assert not begun
            for call in (short, long):
                call.cancel()
            await asyncio.wait([long, short])

    play(scenario())


def test_jobs_that_wait_while_every_process_has_a_long_one_are_given_back(tmp_path: Path) -> None:
    """Those that are short as well, and none is taken in addition, for others may run them."""
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(size=2, interrupt_seconds=0.1) as processes:
            await known_as_short(processes, "nothing")
            assert processes.most("nothing") > 2
            long = [
                started(processes, job("noted", path=str(path), text="long", seconds=3600))
                for _ in range(2)
            ]
            await auntil(lambda: lines(path) == ["long"] * 2, what="both run")
            assert processes.most("nothing") == 2
            for _ in range(5):
                outcome = await processes.call(job("nothing"))
                assert (outcome.kind, outcome.refund) == ("handed_back", True)
            long[0].cancel()
            await asyncio.wait(long[:1])
            assert (await processes.call(job("nothing"))).kind == "completed"
            long[1].cancel()
            await asyncio.wait(long)

    play(scenario())


def test_jobs_taken_back_from_a_process_run_there_later_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without those that were cancelled meanwhile, of which it still has the arguments."""
    monkeypatch.setattr("jobqueue.worker.processes.pool.LONGEST_WAIT_SECONDS", 3600)
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            await known_as_short(processes, "noted", path="/dev/null", text="warm")
            long = started(processes, job("noted", path=str(path), text="long", seconds=1))
            calls = [
                started(processes, job("noted", path=str(path), text=f"{n}")) for n in range(150)
            ]
            await has_noted(path, "long")
            for call in calls[:10]:
                call.cancel()
            await asyncio.wait(calls[:10])
            assert (await long).kind == "completed"
            for call in calls[10:]:
                assert (await call).kind == "completed"

    play(scenario())
    assert lines(path) == ["long", *(f"{n}" for n in range(10, 150))]


def test_jobs_run_in_the_order_of_their_calls(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            await known_as_short(processes, "noted", path="/dev/null", text="warm")
            await asyncio.gather(
                *(processes.call(job("noted", path=str(path), text=f"{n}")) for n in range(200))
            )

    play(scenario())
    assert lines(path) == [f"{n}" for n in range(200)]
