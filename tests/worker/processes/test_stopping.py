"""A job is stopped when its call is cancelled, and all are when the pool is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobqueue.worker.processes import Outcome
from tests.waiting import auntil
from tests.worker.playing import play
from tests.worker.processes.playing import (
    alive,
    has_noted,
    job,
    known_as_short,
    lines,
    pid,
    pool,
    started,
)


async def stopped(call: asyncio.Task[Outcome]) -> None:
    """Cancel a call, which ends it without an outcome."""
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()


@pytest.mark.parametrize(
    ("task", "told"), [("polite", "Interruption"), ("async_polite", "CancelledError")]
)
def test_a_job_is_told_by_an_exception_and_may_clean_up(
    tmp_path: Path, task: str, told: str
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            before = await pid(processes)
            call = started(processes, job(task, path=str(path)))
            await has_noted(path, "begun")
            await stopped(call)
            assert lines(path) == ["begun", told]
            # What was stopped in the middle may have left anything half done.
            assert await pid(processes) != before

    play(scenario())


@pytest.mark.parametrize("task", ["slow_to_read", "slow_to_read_async"])
def test_a_job_that_is_stopped_before_its_code_begins_is_stopped_when_it_does(
    tmp_path: Path, task: str
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            call = started(processes, job(task, path=str(path)))
            await has_noted(path, "reading")
            await stopped(call)

    play(scenario())
    assert lines(path) in (["reading"], ["reading", "begun"])


def test_what_a_job_makes_of_being_stopped_is_not_its_own_error(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            call = started(processes, job("wraps_its_stop", path=str(path)))
            await has_noted(path, "begun")
            await stopped(call)

    play(scenario())


def test_a_job_that_finishes_all_the_same_has_its_outcome_given(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            call = asyncio.create_task(
                processes.call(job("tidy", path=str(path)), wants_result=True)
            )
            await has_noted(path, "begun")
            call.cancel()
            outcome = await call
            assert (outcome.kind, outcome.result) == ("completed", '"done all the same"')

    play(scenario())


def test_a_timeout_is_a_call_that_is_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    loop = asyncio.get_running_loop()
                    await processes.call(
                        job("polite", path=str(path)),
                        on_begin=lambda: limit.reschedule(loop.time() + 0.2),
                    )

    play(scenario())


def test_a_job_that_does_not_heed_is_killed_and_its_process_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=0.3) as processes:
            before = await pid(processes)
            call = started(processes, job("stubborn", path=str(path)))
            await has_noted(path, "begun")
            await stopped(call)
            assert lines(path) == ["begun", "Interruption"]
            assert not alive(before)
            assert await pid(processes) != before

    play(scenario())


def test_what_a_killed_job_started_is_killed_with_it(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=0.3) as processes:
            call = started(processes, job("deaf", path=str(path)))
            await auntil(lambda: lines(path), what="its program runs")
            [program] = lines(path)
            assert alive(int(program))
            await stopped(call)
            await auntil(lambda: not alive(int(program)), what="its program is ended")

    play(scenario())


def test_a_second_cancellation_kills_at_once(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=3600) as processes:
            before = await pid(processes)
            call = started(processes, job("stubborn", path=str(path)))
            await has_noted(path, "begun")
            call.cancel()
            await has_noted(path, "Interruption")
            assert not call.done()
            await stopped(call)
            await auntil(lambda: not alive(before), what="its process is ended")

    play(scenario())


def test_a_job_that_waits_for_a_process_is_given_up_without_having_begun(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            first = started(processes, job("polite", path=str(path)))
            await has_noted(path, "begun")
            waiting = started(processes, job("noted", path=str(path), text="never"))
            await asyncio.sleep(0)
            await stopped(waiting)
            await stopped(first)
            await pid(processes)

    play(scenario())
    assert lines(path) == ["begun", "Interruption"]


@pytest.mark.parametrize("which", ["running", "behind it"])
def test_stopping_one_of_the_jobs_in_a_process_leaves_the_others_to_run_once(
    tmp_path: Path, which: str
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            await known_as_short(processes, "noted", path="/dev/null", text="warm")
            long = job("noted", path=str(path), text="long", seconds=3600)
            short = [job("noted", path=str(path), text=f"{n}") for n in range(10)]
            calls = [started(processes, one) for one in [long, *short]]
            await has_noted(path, "long")
            if which == "running":
                await stopped(calls.pop(0))
            else:
                await stopped(calls.pop(5))
                await stopped(calls.pop(0))
            for call in calls:
                assert (await call).kind == "completed"

    play(scenario())
    left = {f"{n}" for n in range(10)} - ({"4"} if which == "behind it" else set())
    assert sorted(lines(path)) == sorted({"long", *left})


def test_closing_waits_for_what_runs_and_hands_back_what_has_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            runs = started(processes, job("noted", path=str(path), text="runs", seconds=0.3))
            await has_noted(path, "runs")
            waits = started(processes, job("noted", path=str(path), text="waits"))
            await asyncio.sleep(0)
            await processes.close(grace_seconds=60)
            assert (await runs).kind == "completed"
            outcome = await waits
            assert (outcome.kind, outcome.refund) == ("handed_back", True)
            with pytest.raises(RuntimeError, match="closed"):
                await processes.call(job("nothing"))

    play(scenario())
    assert lines(path) == ["runs"]


@pytest.mark.parametrize("task", ["polite", "stubborn"])
def test_closing_stops_what_outlasts_the_grace_time_and_hands_it_back(
    tmp_path: Path, task: str
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(interrupt_seconds=0.3) as processes:
            running = await pid(processes)
            call = started(processes, job(task, path=str(path)))
            await has_noted(path, "begun")
            await processes.close(grace_seconds=0.1)
            outcome = await call
            assert (outcome.kind, outcome.refund, outcome.interrupted) == (
                "handed_back",
                True,
                True,
            )
            assert not alive(running)

    play(scenario())


def test_closing_while_a_process_starts_leaves_none_behind() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            call = started(processes, job("nothing"))
            await auntil(
                lambda: any(child.pid for child in processes._children),
                what="a process is being started",
            )
            children = list(processes._children)
            await processes.close()
            assert (await call).kind == "handed_back"
            assert all(child.pid for child in children)
            assert not any(alive(child.pid) for child in children)

    play(scenario())
