"""What a job does to its process harms neither its own outcome nor the next job."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.waiting import auntil, until
from tests.worker.playing import play
from tests.worker.processes.playing import alive, job, lines, pid, pool, result


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def sockets(process: int) -> list[str]:
    """Name the sockets that a process holds."""
    names = [str(one.readlink()) for one in Path(f"/proc/{process}/fd").iterdir()]
    return [name for name in names if name.startswith("socket:")]


def test_signals_are_as_they_were_for_the_next_job(notes: Path) -> None:
    async def scenario() -> None:
        async with pool(interrupt_seconds=60) as processes:
            before = await pid(processes)
            assert (await processes.call(job("changes_signals"))).kind == "completed"
            # Longer than the timer that was left behind.
            after = job("noted", path=str(notes), text="after", seconds=0.2)
            assert (await processes.call(after)).kind == "completed"
            assert (await processes.call(job("says", text="x", how="program"))).kind == "completed"
            assert await pid(processes) == before
            call = asyncio.create_task(processes.call(job("polite", path=str(notes))))
            await auntil(lambda: "begun" in lines(notes), what="it runs")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert lines(notes)[-1] == "Interruption"

    play(scenario())


def test_a_job_may_time_itself_out_by_an_alarm() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            outcome = await processes.call(job("own_alarm"))
            assert outcome.error is not None
            assert outcome.error["message"] == "its own alarm"
            assert await pid(processes) == before

    play(scenario())


def test_signals_that_the_worker_has_not_sent_stop_nothing() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            assert (await processes.call(job("signals_itself"))).kind == "completed"
            os.kill(before, signal.SIGTERM)
            os.kill(before, signal.SIGINT)
            assert await pid(processes) == before

    play(scenario())


def test_threads_left_behind_do_not_keep_a_process_from_its_end(notes: Path) -> None:
    async def scenario() -> None:
        async with pool(max_jobs=1) as processes:
            assert (await processes.call(job("leaves_threads", path=str(notes)))).kind == (
                "completed"
            )
            [left] = lines(notes)
            assert await pid(processes) != int(left)
            await auntil(lambda: not alive(int(left)), what="it has ended")

    play(scenario())


@pytest.mark.parametrize("task", ["stops_its_loop", "raises_in_a_callback"])
def test_a_coroutine_that_ends_its_event_loop_ends_with_it(notes: Path, task: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            assert (await processes.call(job(task, path=str(notes)))).kind == "retried"
            assert lines(notes) == ["cancelled"]
            assert (await processes.call(job("runs_the_loop"))).kind == "completed"
            assert await pid(processes) == before

    play(scenario())
    assert lines(notes) == ["cancelled"]


def test_what_a_coroutine_leaves_goes_on_with_the_next_and_ends_with_the_process(
    notes: Path,
) -> None:
    async def scenario() -> None:
        async with pool(max_jobs=3) as processes:
            given = job("leaves_coroutines", path=str(notes))
            assert (await processes.call(given)).kind == "completed"
            assert lines(notes) == []
            assert (await processes.call(job("runs_the_loop"))).kind == "completed"
            assert lines(notes) == ["went on"]
            assert (await processes.call(given)).kind == "completed"
            await auntil(lambda: lines(notes) == ["went on", "cancelled"], what="it is cancelled")

    play(scenario())


def test_a_process_that_a_job_forks_may_live_on(
    notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with pool(max_jobs=2) as processes:
            running = await pid(processes)
            assert await result(processes, job("forks", path=str(notes))) == 0
            [forked] = lines(notes)
            # The end of the process itself is noticed.
            await auntil(lambda: not alive(running), what="it has ended")
            assert await pid(processes) != running
            assert alive(int(forked))
            assert not sockets(int(forked)), "it can neither speak nor keep anything open"
            wanted = "stdout: from the one that was forked"
            await auntil(lambda: wanted in caplog.text, what=wanted)

    try:
        play(scenario())
    finally:
        for one in lines(notes):
            os.kill(int(one), signal.SIGKILL)


def test_a_program_that_a_job_starts_gets_no_way_to_the_worker(notes: Path) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            assert await result(processes, job("spawns", path=str(notes))) == 0

    play(scenario())
    names = lines(notes)
    assert any(name.startswith("pipe:") for name in names)
    assert not any(name.startswith("socket:") for name in names)


@pytest.mark.parametrize(("then", "code"), [("return", 0), ("raise", 1), ("exit", 5)])
def test_a_forked_process_that_comes_back_from_the_function_ends_there(
    notes: Path, caplog: pytest.LogCaptureFixture, then: str, code: int
) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            for _ in range(3):
                given = job("forks", path=str(notes), then=then)
                assert await result(processes, given) == code
            assert await pid(processes) == before

    play(scenario())
    assert not any(alive(int(one)) for one in lines(notes))
    assert ("in the one that was forked" in caplog.text) == (then == "raise")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_job_may_use_processes_of_its_own(notes: Path, method: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            given = job("uses_multiprocessing", path=str(notes), method=method)
            assert (await processes.call(given)).kind == "completed"

    play(scenario())
    assert lines(notes) == ["in the child"]


def test_an_idle_process_waits_without_waking() -> None:
    def switches(process: int) -> list[str]:
        tasks = Path(f"/proc/{process}/task").glob("*/status")
        return [line for one in tasks for line in one.read_text().splitlines() if "ctxt" in line]

    async def scenario() -> None:
        async with pool() as processes:
            running = await pid(processes)

            def settled() -> bool:
                before = switches(running)
                time.sleep(0.5)
                return switches(running) == before

            until(settled, what="it sleeps")

    play(scenario())
