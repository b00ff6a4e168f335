"""However a job ends, that job has the outcome it would have in the worker; the next one runs."""

from __future__ import annotations

import pytest

from jobqueue.core.outcome import describe
from tests.worker.playing import play
from tests.worker.processes.playing import job, pid, pool, result

# what is raised, attempt of 3: kind, delay, refund, name of the error that is kept
RAISED = [
    ("retry", 1, "retried", 60, False, "jobqueue.core.retry.Retry"),
    ("retry", 3, "dead", 0, False, "jobqueue.core.retry.Retry"),
    ("snooze", 3, "snoozed", 30, True, None),
    ("cancel", 1, "cancelled", 0, False, "Cancel"),
    ("own", 1, "retried", 7, False, "tests.worker.processes.tasks.endings.OwnError"),
    ("own", 3, "dead", 0, False, "tests.worker.processes.tasks.endings.OwnError"),
    ("hopeless", 1, "dead", 0, False, "tests.worker.processes.tasks.endings.Hopeless"),
    ("processed", 1, "completed", 0, False, None),
    ("partly", 1, "dead", 0, False, "jobqueue.core.errors.PartlyCommitted"),
    ("unreadable", 1, "retried", 7, False, "tests.worker.processes.tasks.endings.Unreadable"),
    ("not storable", 1, "retried", 7, False, "ValueError"),
    ("base", 1, "retried", 7, False, "tests.worker.processes.tasks.endings.OwnBase"),
    ("exit", 1, "retried", 7, False, "SystemExit"),
    ("keyboard", 1, "retried", 7, False, "KeyboardInterrupt"),
    ("generator", 1, "retried", 7, False, "GeneratorExit"),
    ("cancelled", 1, "retried", 7, False, "asyncio.exceptions.CancelledError"),
    ("group", 1, "retried", 7, False, "BaseExceptionGroup"),
    ("cause", 1, "retried", 7, False, "ValueError"),
    ("deep", 1, "retried", 7, False, "RecursionError"),
    ("interruption", 1, "retried", 7, False,
     "jobqueue.worker.processes.interrupts.Interruption"),
]  # fmt: skip


@pytest.mark.parametrize("task", ["raising", "raising_async"])
def test_whatever_a_job_raises_becomes_its_verdict_and_the_process_lives_on(task: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            for what, attempt, kind, delay, refund, name in RAISED:
                if task == "raising_async" and what == "hopeless":
                    continue  # it gives up on nothing
                outcome = await processes.call(job(task, attempt=attempt, what=what))
                case = f"{what}, attempt {attempt}"
                assert (outcome.kind, outcome.delay_seconds, outcome.refund) == (
                    kind,
                    delay,
                    refund,
                ), case
                assert not outcome.settled, case
                assert (outcome.error or {}).get("error") == name, case
                if name is not None:
                    assert outcome.error is not None
                    assert outcome.error["traceback"], case
            assert await pid(processes) == before

    play(scenario())


@pytest.mark.parametrize("what", ["own", "base", "exit", "keyboard", "stop", "cancelled"])
def test_an_error_in_a_coroutine_does_not_end_the_event_loop(what: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            assert await result(processes, job("same_loop"))
            assert (await processes.call(job("raising_async", what=what))).kind == "retried"
            assert await result(processes, job("same_loop"))

    play(scenario())


def test_an_error_that_ends_iterations_is_an_error_like_any_other() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            plain = await processes.call(job("raising", what="stop"))
            coroutine = await processes.call(job("raising_async", what="stop"))
            assert (plain.error or {})["error"] == "StopIteration"
            assert (coroutine.error or {})["error"] == "RuntimeError"

    play(scenario())


def test_the_error_is_kept_with_its_message_and_the_line_it_came_from() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("raising", what="own"))
            assert outcome.error is not None
            assert outcome.error["message"] == "1 and two"
            assert "in raising\n    raise error" in outcome.error["traceback"]
            verdict = outcome.verdict
            assert (verdict.kind, verdict.delay_seconds) == ("retried", 7)
            assert verdict.error is not None
            assert describe(verdict.error)["message"] == "1 and two"

    play(scenario())


def test_a_lost_lease_leaves_nothing_to_record(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("raising", what="lost"))
            assert (outcome.kind, outcome.settled) == ("handed_back", True)

    play(scenario())
    assert "another has it" in caplog.text


def test_an_error_after_its_own_transaction_completed_it_does_not_fail_the_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("complete_then_raise"))
            assert (outcome.kind, outcome.settled) == ("completed", True)

    play(scenario())
    assert "completed, but then raised ValueError: too late" in caplog.text


def test_a_backoff_that_fails_makes_a_dead_letter_that_shows_both_errors() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("with_broken_backoff"))
            assert outcome.kind == "dead"
            assert outcome.error is not None
            assert outcome.error["error"] == "SystemExit"
            assert "the error itself" in outcome.error["traceback"]

    play(scenario())


def test_secret_arguments_are_hidden_in_what_crosses() -> None:
    async def scenario() -> None:
        async with pool() as processes:
            outcome = await processes.call(job("secretive", token="the-secret-itself"))
            assert outcome.error is not None
            assert outcome.error["message"] == "could not log in with [redacted]"
            assert "the-secret-itself" not in str(outcome)

    play(scenario())


@pytest.mark.parametrize("task", ["gives_what_json_cannot_hold", "gives_a_coroutine"])
def test_a_result_that_json_cannot_hold_fails_the_job_only_if_it_is_wanted(task: str) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            wanted = await processes.call(job(task), wants_result=True)
            assert wanted.kind == "retried"
            unwanted = await processes.call(job(task))
            # A coroutine that nobody awaits is a job that was not done.
            expected = "retried" if task == "gives_a_coroutine" else "completed"
            assert unwanted.kind == expected
            assert await pid(processes) == before

    play(scenario())
