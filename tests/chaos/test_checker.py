"""The checker is shown a sound book and broken ones; it must find each break, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.checker import RULES, check
from tests.chaos.evidence import Acknowledged, Evidence, Job, Order, Run, Tick, join_runs
from tests.chaos.happened import KILLED, STOPPED, THE_END, Exit, Happened
from tests.chaos.plan import Kind

START = 1_000.0
LEASE = 4.0
A, B, C = 11, 12, 13
"""Processes of workers. A was killed at START while it ran `retried`; C was frozen in `keyed`."""


def lost(pid: int, *, attempt: int, at: float) -> Mapping[str, Any]:
    return {
        "error": "WorkerLost",
        "message": f"worker host:{pid} stopped sending heartbeats",
        "attempt": attempt,
        "failed_at": datetime.fromtimestamp(at, UTC).isoformat(),
    }


def failed(attempt: int) -> Mapping[str, Any]:
    return {"error": "Failed", "message": "", "attempt": attempt}


def done(job: str, task: str, attempt: int = 1, *errors: Mapping[str, Any]) -> Job:
    return Job(job, "job_history", "completed", task, attempt, 1000, errors)


SOUND = Evidence(
    jobs=[
        done("plain", "plain"),
        done("effect", "effect"),
        replace(done("sweep", "sweep"), finished_at=START - 8),
        done("retried", "plain", 2, lost(A, attempt=1, at=START + LEASE)),
        replace(done("delayed", "plain"), run_at=START),
        Job("dead", "dead_letters", "dead", "always_fails", 1, 1, [failed(1)]),
        done("tick 1", "tick"),
        done("tick 2", "tick"),
        *(done(f"paced {number}", "paced") for number in range(8)),
        done("keyed", "keyed", 2, lost(C, attempt=1, at=START + LEASE)),
        *(done(f"keyed {number}", "keyed") for number in (1, 2)),
        replace(done("first", "ordered", 2, failed(1)), enqueued_at=START),
        replace(done("second", "ordered"), enqueued_at=START + 1),
    ],
    ticks=[Tick(START, "tick 1"), Tick(START + 1, "tick 2")],
    orders=[
        *(Order(job, "plain", job, "inserted") for job in ("plain", "effect", "retried", "dead")),
        Order("delayed", "delayed", "delayed", "inserted"),
        Order("sweep", "swept", "sweep", "inserted", swept_at=START - 8),
        Order("met", "swept", "sweep", "met", swept_at=START - 8),
        *(Order(f"p {n}", "paced", f"paced {n}", "inserted") for n in range(8)),
        *(
            Order(job, "keyed", job, "inserted", key="key 1")
            for job in ("keyed", "keyed 1", "keyed 2")
        ),
        *(Order(job, "ordered", job, "inserted", key="key 1") for job in ("first", "second")),
    ],
    acknowledged=[
        Acknowledged("plain", "plain", "inserted"),
        Acknowledged("met", "sweep", "met"),
        Acknowledged("first", "first", "inserted", START + 0.5),
        Acknowledged("second", "second", "inserted", START + 1.5),
    ],
    effects={"effect": 1, "sweep": 1},
    runs=[
        Run("plain", 1, 1, A, START - 9, START - 8, "end"),
        Run("effect", 2, 1, A, START - 9, None, None),
        Run("sweep", 3, 1, A, START - 9, START - 8, "end"),
        Run("retried", 4, 1, A, START - 1),
        Run("retried", 5, 2, B, START + LEASE + 0.1, START + 9, "end"),
        Run("delayed", 6, 1, B, START + 0.1, START + 0.2, "end"),
        Run("dead", 7, 1, B, START, START + 1, "failed"),
        Run("tick 1", 9, 1, B, START + 0.1, START + 0.2, "end"),
        Run("tick 2", 10, 1, B, START + 1.1, START + 1.2, "end"),
        *(Run(f"paced {n}", 20 + n, 1, B, START + n / 9, START + n / 9, "end") for n in range(8)),
        # It was taken from its worker, which ran on until after the others began.
        Run("keyed", 30, 1, C, START - 1, START + LEASE + 9, "end"),
        Run("keyed", 31, 2, B, START + LEASE + 0.1, START + LEASE + 2, "end"),
        Run("keyed 1", 32, 1, B, START + LEASE + 1, START + LEASE + 3, "end"),
        Run("keyed 2", 33, 1, B, START + LEASE + 2, START + LEASE + 3, "end"),
        Run("first", 40, 1, B, START + 2, START + 3, "failed"),
        Run("first", 41, 2, B, START + 4, START + 5, "end"),
        Run("second", 42, 1, B, START + 5, START + 6, "end"),
    ],
    happened=[
        Happened(Kind.KILL, START, START, [A]),
        Happened(Kind.FREEZE, START - 0.5, START + LEASE + 2, [C]),
    ],
    exits=[
        Exit("worker 0", A, -9, START, frozenset({KILLED})),
        Exit("worker 1", B, 0, START + 99, frozenset({STOPPED, THE_END})),
        Exit("worker 2", C, 0, START + 99, frozenset({THE_END})),
    ],
    in_the_books={B},
    alive={B},
    lease_seconds=LEASE,
    grace_seconds=2.0,
)


def with_job(job: Job) -> Evidence:
    """Give the sound evidence with another account of one job."""
    return replace(SOUND, jobs=[job if job.id == one.id else one for one in SOUND.jobs])


def without_job(job_id: str) -> Evidence:
    return replace(SOUND, jobs=[job for job in SOUND.jobs if job.id != job_id])


def with_run(run: Run) -> Evidence:
    return replace(SOUND, runs=[*SOUND.runs, run])


INTERRUPTED = {
    "error": "Interrupted",
    "message": "",
    "attempt": 1,
    "failed_at": datetime.fromtimestamp(START, UTC).isoformat(),
}

BROKEN: dict[str, tuple[Evidence, str]] = {
    "acknowledged_orders_are_there": (
        replace(SOUND, acknowledged=[Acknowledged("vanished", "plain", "inserted")]),
        "order vanished",
    ),
    "a_job_is_in_one_table_once": (
        replace(SOUND, jobs=[*SOUND.jobs, done("plain", "plain")]),
        "job plain",
    ),
    "every_job_has_ended": (
        with_job(Job("plain", "jobs", "running", "plain", 1, 1000)),
        "job plain (plain): still running",
    ),
    "jobs_are_of_committed_orders": (without_job("retried"), "order retried"),
    "effects_were_made_once": (replace(SOUND, effects={"effect": 2, "sweep": 1}), "job effect"),
    "completed_jobs_ran_to_their_end": (
        replace(SOUND, runs=[run for run in SOUND.runs if run.job != "plain"]),
        "job plain",
    ),
    "attempts_stay_within_their_limit": (
        with_run(Run("dead", 8, 2, B, START + 2, START + 3, "failed")),
        "job dead: attempt 2 of 1",
    ),
    "attempts_add_up": (with_job(done("plain", "plain", 2)), "job plain"),
    "only_the_doomed_are_dead": (
        with_job(Job("plain", "dead_letters", "dead", "plain", 1, 1, [failed(1)])),
        "job plain",
    ),
    "delayed_jobs_were_not_early": (
        with_job(replace(done("delayed", "plain"), run_at=START + 5)),
        "job delayed: started 4.900 s",
    ),
    "each_tick_has_one_job": (without_job("tick 1"), "tick 1000: has 0 jobs (tick 1)"),
    "unique_jobs_saw_who_met_them": (
        replace(SOUND, orders=[*SOUND.orders, Order("unseen", "swept", "sweep", "met")]),
        "order unseen",
    ),
    "one_job_waits_under_a_key": (replace(SOUND, shared_keys={"key 1"}), "key 1"),
    "nothing_is_stuck": (replace(SOUND, stuck={"job plain: running for 25 s"}), "job plain"),
    "no_window_holds_more_starts_than_its_rate": (
        with_run(Run("paced 1", 28, 2, B, START + 0.95, START + 1, "end")),
        "9 starts within 1 s, 8 allowed",
    ),
    "no_key_runs_more_than_its_limit": (
        with_run(Run("keyed 2", 34, 2, B, START + LEASE + 1.5, START + LEASE + 1.6, "end")),
        "key 'key 1': 3 ran at once",
    ),
    "an_ordered_key_keeps_its_order": (
        with_run(Run("second", 43, 2, B, START + 3.2, START + 3.3, "end")),
        "key 'key 1': began in the order [0, 1, 0, 1]",
    ),
    "a_lease_runs_a_job_once": (
        with_run(Run("plain", 1, 1, B, START, START + 1, "end")),
        "job plain: started 2 times under lease 1",
    ),
    "one_worker_at_a_time": (
        with_run(Run("plain", 8, 1, B, START - 8.5, START, "end")),
        f"job plain: process {A}",
    ),
    "no_lease_is_lost_without_a_cause": (replace(SOUND, happened=[]), f"worker {A}"),
    "jobs_are_interrupted_only_by_stops": (
        with_job(done("plain", "plain", 1, INTERRUPTED)),
        "job plain",
    ),
    "processes_end_only_when_told": (
        replace(SOUND, exits=[Exit("worker 0", A, 3, START)]),
        f"worker 0 (process {A}): ended with 3",
    ),
    "the_books_know_the_living": (replace(SOUND, in_the_books={A, B}), f"worker {A}"),
}


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (without_job("tick 2"), "has 0 jobs"),
        (replace(SOUND, jobs=[*SOUND.jobs, done("tick 3", "tick")]), "job tick 3: is of no tick"),
        (
            replace(SOUND, ticks=[SOUND.ticks[0], Tick(START + 3, "tick 2")]),
            "none between 1000 and 1003",
        ),
        (replace(SOUND, ticks=[*SOUND.ticks, Tick(START + 2, None)]), "tick 1002: has 0 jobs"),
    ],
)
def test_a_tick_without_a_job_and_a_job_without_a_tick_are_found(
    evidence: Evidence, said: str
) -> None:
    assert any(said in one for one in check(evidence)["each_tick_has_one_job"])


def test_a_sound_book_breaks_no_rule() -> None:
    assert check(SOUND) == {}


def test_every_rule_has_a_broken_book_here() -> None:
    assert BROKEN.keys() == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_book_is_found_and_the_culprit_named(rule: str) -> None:
    evidence, culprit = BROKEN[rule]
    assert any(culprit in violation for violation in check(evidence)[rule])


def test_a_lease_that_was_lost_too_early_is_found() -> None:
    """The worker was frozen, but for less than its lease when its jobs were given away."""
    late = [Happened(Kind.FREEZE, START + 3, START + 9, [A])]
    assert "no_lease_is_lost_without_a_cause" in check(replace(SOUND, happened=late))


def test_a_job_nobody_asked_for_is_found() -> None:
    evidence = replace(SOUND, jobs=[*SOUND.jobs, done("stray", "plain")])
    assert check(evidence)["jobs_are_of_committed_orders"] == ["job stray: no order asked for it"]


def test_an_order_that_only_a_later_job_saw_is_found() -> None:
    late = Order("late", "swept", "sweep", "met", swept_at=START)
    evidence = replace(SOUND, orders=[*SOUND.orders, late])
    assert "unique_jobs_saw_who_met_them" in check(evidence)


def test_a_start_counts_from_when_it_was_handed_over() -> None:
    """What a busy machine does between that and the first line is nobody's."""
    late = Run("paced 1", 28, 2, B, START + 0.95, START + 1, "end", handed=START + 1.05)
    assert "no_window_holds_more_starts_than_its_rate" not in check(with_run(late))


def test_a_run_without_a_lost_lease_holds_its_key_until_its_end() -> None:
    evidence = with_job(done("keyed", "keyed", 2, failed(1)))
    assert "no_key_runs_more_than_its_limit" in check(evidence)


def test_one_that_began_before_another_that_was_there_first_is_found() -> None:
    early = [run for run in SOUND.runs if run.job not in {"first", "second"}]
    early += [
        Run("second", 42, 1, B, START + 2, START + 3, "end"),
        Run("first", 41, 2, B, START + 4, START + 5, "end"),
    ]
    found = check(replace(SOUND, runs=early))["an_ordered_key_keeps_its_order"]
    assert found == ["key 'key 1': job second began before job first, which was there first"]
    # Nobody knows which was first, if the second was enqueued before the first was committed.
    told = [replace(one, at=START + 1.2) for one in SOUND.acknowledged]
    assert "an_ordered_key_keeps_its_order" not in check(
        replace(SOUND, runs=early, acknowledged=told)
    )


def test_effects_of_a_job_that_did_not_complete_are_found() -> None:
    evidence = replace(SOUND, effects={**SOUND.effects, "dead": 1})
    assert "effects_were_made_once" in check(evidence)


def test_a_worker_that_is_not_in_the_books_is_found() -> None:
    assert "the_books_know_the_living" in check(replace(SOUND, in_the_books=set()))


def test_a_worker_that_was_stopped_and_ended_with_an_error_is_found() -> None:
    ends = [Exit("worker 0", A, 1, START, frozenset({STOPPED}))]
    assert "processes_end_only_when_told" in check(replace(SOUND, exits=ends))


def test_starts_and_ends_are_joined_by_job_lease_and_process() -> None:
    def line(what: str, pid: int, at: float) -> dict[str, Any]:
        return {"what": what, "pid": pid, "at": at, "job": "job", "lease": 1, "attempt": 1}

    lines = [line("start", A, 1.0), line("start", B, 2.0), line("end", B, 3.0)]
    assert join_runs(lines) == [
        Run("job", 1, 1, A, 1.0),
        Run("job", 1, 1, B, 2.0, 3.0, "end"),
    ]
