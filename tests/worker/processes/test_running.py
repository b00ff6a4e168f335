"""A job runs in a child process as it would in the worker."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from jobqueue.worker.clock import clock
from tests.waiting import auntil
from tests.worker.playing import play
from tests.worker.processes.playing import has_noted, job, lines, pid, pool, result, started, stored


def test_a_function_runs_in_a_process_of_its_own_that_loaded_the_application_once() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            seen = [await result(processes, job("pid")) for _ in range(3)]
            [running, loaded_by] = seen[0]
            assert seen == [[running, loaded_by]] * 3
            assert running == loaded_by != os.getpid()
            assert await result(processes, job("async_pid")) == running

    play(scenario())


def test_arguments_arrive_as_the_types_of_the_signature() -> None:
    who = str(uuid4())
    given = {"at": "2024-02-29T12:00:00+00:00", "who": who, "point": {"x": 1, "y": 2}}

    async def scenario() -> None:
        async with pool() as processes:
            expected = ["2024-02-29T12:00:00+00:00", who, "1,2", "Point"]
            assert await result(processes, job("rich", **given)) == [*expected, "default"]
            hostile = 'line one\nline two\x7f "quoted" \\ é 🐘 '
            assert await result(processes, job("rich", **given, text=hostile)) == [
                *expected,
                hostile,
            ]

    play(scenario())


def test_the_stored_text_of_the_arguments_crosses_as_it_is() -> None:
    """As PostgreSQL writes jsonb: spaces, escapes, numbers of any length."""
    text = '{"path": "/dev/null", "text": "a\\u0009b\\nc \\ud83d\\udc18", "seconds": 1e-05}'
    large = orjson.dumps({"path": "/dev/null", "text": "x" * 1_000_000}).decode()

    async def scenario() -> None:
        async with pool() as processes:
            for args in (text, large):
                outcome = await processes.call(stored("noted", args))
                assert outcome.kind == "completed"

    play(scenario())


def test_arguments_that_do_not_fit_are_not_tried_again() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("rich", at="yesterday"))
            assert outcome.kind == "dead"
            assert outcome.error is not None
            assert outcome.error["error"] == "InvalidArguments"

    play(scenario())


@pytest.mark.parametrize("task", ["whoami", "async_whoami"])
def test_the_current_job_is_known_inside(task: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            for attempt in (1, 2):
                given = job(task, attempt=attempt, max_attempts=4)
                expected = [given.id, task, "default", attempt, 4]
                assert await result(processes, given) == expected

    play(scenario())


def test_coroutines_share_an_event_loop_so_that_what_is_opened_on_it_stays_usable() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            assert [await result(processes, job("same_loop")) for _ in range(3)] == [True] * 3

    play(scenario())


def test_a_result_is_given_only_if_it_is_wanted() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            assert (await processes.call(job("pid"))).result is None

    play(scenario())


def test_a_job_of_a_task_that_the_children_do_not_have_is_handed_back() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("of_another_release"))
            assert (outcome.kind, outcome.refund, outcome.error) == ("handed_back", True, None)
            assert outcome.delay_seconds > 0

    play(scenario())


def test_as_many_processes_run_as_there_are_jobs_for_and_no_more_than_allowed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notes"

    async def scenario() -> None:
        async with pool(size=2) as processes:
            one = await pid(processes)
            assert {await pid(processes) for _ in range(5)} == {one}
            assert processes.idle == 2
            calls = [started(processes, job("noted", path=str(path), text=f"{n}", seconds=60))
                     for n in range(3)]  # fmt: skip
            await has_noted(path, "0")
            await has_noted(path, "1")
            assert processes.idle == 0
            assert path.read_text().split() == ["0", "1"]
            for call in calls:
                call.cancel()
            await auntil(lambda: all(call.done() for call in calls), what="all are stopped")

    play(scenario())


def test_progress_and_the_word_that_it_is_cancelled_cross_while_a_job_runs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notes"
    told: list[tuple[float, str]] = []
    begun: list[bool] = []

    async def scenario() -> None:
        async with pool() as processes:
            given = job("report", path=str(path))

            async def cancel() -> None:
                await has_noted(path, "waiting")
                await auntil(lambda: len(told) == 2, what="progress is told while it runs")
                processes.cancelled(job("report"))  # another
                processes.cancelled(given)

            outcome, _ = await asyncio.gather(
                processes.call(
                    given,
                    wants_result=True,
                    on_begin=lambda: begun.append(True),
                    on_progress=lambda fraction, text: told.append((fraction, text)),
                ),
                cancel(),
            )
            assert outcome.result == "true"

    play(scenario())
    assert told == [(0.25, "a quarter"), (0.5, "")]
    assert begun == [True]


def test_an_attempt_in_a_child_process_knows_all_that_one_in_the_worker_knows() -> None:
    async def scenario() -> list[str]:
        async with pool() as processes:
            return await result(processes, job("missing_in_attempt"))

    assert play(scenario()) == []


def test_the_worker_may_run_on_uvloop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop", reason="the extra `fast` is not installed")

    async def scenario() -> None:
        async with asyncio.timeout(60), pool(size=2, interrupt_seconds=0.3) as processes:
            pids = await asyncio.gather(*(result(processes, job("pid")) for _ in range(100)))
            assert pids
            call = started(processes, job("polite", path=str(tmp_path / "notes")))
            await has_noted(tmp_path / "notes", "begun")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def test_a_job_that_reaches_the_child_after_the_lease_has_ended_does_not_begin(
    tmp_path: Path,
) -> None:
    """The worker was frozen with the job on its way; others have it by now."""
    notes = tmp_path / "notes"
    lease_seconds = -1.0

    async def scenario() -> None:
        nonlocal lease_seconds
        async with pool(lease_ends=lambda: clock() + lease_seconds) as processes:
            outcome = await processes.call(job("noted", path=str(notes), text="too late"))
            assert (outcome.kind, outcome.refund) == ("handed_back", True)
            assert lines(notes) == []
            lease_seconds = 60.0
            outcome = await processes.call(job("noted", path=str(notes), text="in time"))
            assert outcome.kind == "completed"
            assert lines(notes) == ["in time"]

    play(scenario())
