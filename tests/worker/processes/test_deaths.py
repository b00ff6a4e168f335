"""A process that dies costs the job in it one attempt, and no other job anything."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from jobqueue.core.outcome import describe
from jobqueue.worker.processes import Outcome, ProcessDied
from tests.worker.playing import play
from tests.worker.processes.playing import (
    alive,
    has_noted,
    job,
    known_as_short,
    lines,
    pid,
    pool,
    result,
    started,
)

WAYS = {
    "segfault": "was killed by SIGSEGV",
    "pointer": "was killed by SIGSEGV",
    "abort": "was killed by SIGABRT",
    "exit": "exited with code 3",
    "kill": "was killed by SIGKILL, which the kernel sends when memory runs out",
}


@pytest.mark.parametrize(("how", "words"), WAYS.items())
def test_a_death_is_that_jobs_failed_attempt_and_says_how(
    tmp_path: Path, how: str, words: str
) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            dying = job("rare_death", path=str(tmp_path / "notes"), text="it", how=how)
            with pytest.raises(ProcessDied) as caught:
                await processes.call(dying)
            assert str(caught.value) == f"the process running it {words}"
            assert await pid(processes) != before

    play(scenario())


def test_where_python_crashed_is_kept_with_the_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            dying = job("rare_death", path=str(tmp_path / "notes"), text="it", how="segfault")
            with pytest.raises(ProcessDied) as caught:
                await processes.call(dying)
            trace = describe(caught.value)["traceback"]
            assert "Fatal Python error: Segmentation fault" in trace
            assert "tasks/deaths.py" in trace

    play(scenario())


@pytest.mark.parametrize("how", ["segfault", "exit", "kill"])
def test_the_jobs_behind_it_in_the_same_process_run_once_each(tmp_path: Path, how: str) -> None:
    """Some of them are in the dead process's hand, not begun; some before it are on their way."""
    path = tmp_path / "notes"
    others = [f"{number}" for number in range(60)]

    async def scenario() -> None:
        async with pool() as processes:
            await known_as_short(processes, "rare_death", path="/dev/null", text="warm")

            async def run(text: str) -> Outcome:
                # The same task, so that it is thought to be short as well.
                dies = how if text == "30" else ""
                return await processes.call(job("rare_death", path=str(path), text=text, how=dies))

            ended = await asyncio.gather(*map(run, others), return_exceptions=True)
            for text, outcome in zip(others, ended, strict=True):
                if text == "30":
                    assert isinstance(outcome, ProcessDied)
                else:
                    assert isinstance(outcome, Outcome), outcome
                    assert outcome.kind == "completed"

    play(scenario())
    assert sorted(lines(path), key=int) == others


@pytest.mark.parametrize("loops", ["asyncio", "uvloop"])
def test_what_a_process_said_before_its_death_is_heard_though_it_is_written_to_meanwhile(
    tmp_path: Path, loops: str
) -> None:
    factory = pytest.importorskip(loops, reason="the extra `fast` is not installed").new_event_loop
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            await known_as_short(processes, "noted", path="/dev/null", text="warm")
            await known_as_short(processes, "rare_death", path="/dev/null", text="warm")
            loop = asyncio.get_running_loop()
            first = started(processes, job("noted", path=str(path), text="first", seconds=0.3))
            second = started(
                processes, job("rare_death", path="/dev/null", text="", how="segfault")
            )
            await has_noted(path, "first")
            # Both have run when the third is sent, and nobody has heard of it.
            loop.call_soon(loop.call_soon, time.sleep, 1.0)
            third = started(processes, job("noted", path=str(path), text="third"))
            assert (await first).kind == "completed"
            with pytest.raises(ProcessDied):
                await second
            assert (await third).kind == "completed"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())
    assert lines(path) == ["first", "third"]


def test_a_process_that_dies_between_jobs_costs_nobody_an_attempt() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            idle = await pid(processes)
            os.kill(idle, signal.SIGKILL)
            # Sent before its end can be known.
            assert await pid(processes) != idle

    play(scenario())


@pytest.mark.parametrize("task", ["forks_and_dies", "forks_past_python"])
def test_a_death_is_noticed_though_a_process_that_it_forked_lives_on(
    tmp_path: Path, task: str
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool() as processes:
            with pytest.raises(ProcessDied, match="exited with code 3"):
                await processes.call(job(task, path=str(path)))
            [forked] = lines(path)
            assert alive(int(forked))
            os.kill(int(forked), signal.SIGKILL)
            assert await result(processes, job("pid"))

    play(scenario())


def test_a_job_that_closes_the_ways_to_the_worker_fails_and_the_process_is_replaced() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            with pytest.raises(ProcessDied, match="lost its connection to the worker"):
                await processes.call(job("closes_every_descriptor"))
            assert await pid(processes) != before

    play(scenario())


def test_a_job_that_goes_on_without_a_way_to_the_worker_is_killed() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            with pytest.raises(ProcessDied, match="killed by the worker: it closed its connection"):
                await processes.call(job("closes_every_descriptor", seconds=600))
            assert await pid(processes)

    play(scenario())


def test_a_job_that_writes_into_every_descriptor_fails_alone() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            with pytest.raises(ProcessDied, match="wrote where it should not"):
                await processes.call(job("writes_everywhere"))
            assert await pid(processes)

    play(scenario())


def test_the_kernel_is_asked_to_spare_the_worker_when_memory_runs_out() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            child = await pid(processes)

            def score(process: int) -> int:
                return int(Path(f"/proc/{process}/oom_score_adj").read_text())

            assert score(child) > score(os.getpid())

    play(scenario())
