"""Processes are replaced after so many jobs, and when they hold too much memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.waiting import auntil
from tests.worker.playing import play
from tests.worker.processes.playing import alive, job, known_as_short, lines, pid, pool, result

MEBIBYTE = 1024 * 1024


def test_a_process_runs_no_more_jobs_than_allowed() -> None:
    async def scenario() -> None:
        async with pool(max_jobs=3) as processes:
            pids = [await pid(processes) for _ in range(8)]
            assert [pids.count(one) for one in dict.fromkeys(pids)] == [3, 3, 2]
            await auntil(lambda: not alive(pids[0]), what="the first has ended")

    play(scenario())


def test_many_short_jobs_at_once_are_spread_over_as_many_processes_as_it_takes() -> None:
    async def scenario() -> None:
        async with pool(max_jobs=20) as processes:
            for _ in range(2):
                pids = await asyncio.gather(*(pid(processes) for _ in range(50)))
                assert max(pids.count(one) for one in pids) <= 20

    play(scenario())


def test_a_process_that_holds_too_much_memory_is_replaced_after_the_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with pool(max_memory_bytes=200 * MEBIBYTE) as processes:
            before = await pid(processes)
            assert await pid(processes) == before
            caplog.set_level("INFO")
            await result(processes, job("keeps", mebibytes=250))
            assert await pid(processes) != before
            assert await result(processes, job("collects")) == 0

    play(scenario())
    assert "is replaced: it holds" in caplog.text


def test_jobs_in_the_hand_of_a_process_that_is_replaced_run_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the first one takes, nothing is left to other workers.
    monkeypatch.setattr("jobqueue.worker.processes.pool.LONGEST_WAIT_SECONDS", 3600)
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(max_memory_bytes=200 * MEBIBYTE) as processes:
            await known_as_short(processes, "noted", path="/dev/null", text="warm")
            await known_as_short(processes, "keeps", mebibytes=0)
            calls = [processes.call(job("keeps", mebibytes=250))]
            calls += [processes.call(job("noted", path=str(path), text=f"{n}")) for n in range(40)]
            for outcome in await asyncio.gather(*calls):
                assert outcome.kind == "completed"

    play(scenario())
    assert sorted(lines(path), key=int) == [f"{n}" for n in range(40)]


def test_an_allocation_without_end_fails_that_job_alone() -> None:
    async def scenario() -> None:
        async with pool(memory_limit_bytes=2_000 * MEBIBYTE) as processes:
            before = await pid(processes)
            outcome = await processes.call(job("without_end"))
            assert outcome.error is not None
            assert (outcome.kind, outcome.error["error"]) == ("retried", "MemoryError")
            assert await result(processes, job("collects")) == 0
            # What found no memory may be half done, in any library.
            assert await pid(processes) != before

    play(scenario())


def test_a_memory_limit_below_what_the_application_takes_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with pool(memory_limit_bytes=MEBIBYTE) as processes:
            assert (await processes.call(job("nothing"))).kind == "handed_back"

    play(scenario())
    assert "memory limit 1,048,576 bytes: the application alone takes" in caplog.text
