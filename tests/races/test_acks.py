"""Two that speak of one running job: its worker twice, its worker and whoever wants it ended."""

from __future__ import annotations

from itertools import product

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import (
    Move,
    bury,
    cancel,
    claim_two,
    complete,
    effects_one,
    fail,
    give_back,
    hand_back,
    promote,
    redrive,
    run_now,
    snooze,
    withdraw,
)
from tests.races.ring import Fate, Ring

WAITS, PASSES = Fate.WAITS, Fate.PASSES

ENDS: dict[Move, str] = {
    complete: "completed 1",
    fail: "scheduled 1",
    snooze: "scheduled 0",
    give_back: "available 0",
    bury: "dead 1",
    withdraw: "cancelled 1",
}
"""Where each outcome leaves the job."""

TWO_OUTCOMES = [
    Case(
        scene.running, first, second, WAITS,
        ("recorded", "stale"), ENDS[first], ("recorded", ENDS[second]),
    )
    for first, second in product(ENDS, ENDS)
]  # fmt: skip

HANDED_BACK = [
    case
    for outcome in ENDS
    for case in (
        Case(
            scene.running, outcome, hand_back, WAITS,
            ("recorded", "nothing"), ENDS[outcome], ("default", "available 0"),
        ),
        Case(
            scene.running, hand_back, outcome, WAITS,
            ("default", "stale"), "available 0", ("recorded", ENDS[outcome]),
        ),
    )
] + [
    Case(
        scene.running, hand_back, hand_back, WAITS,
        ("default", "nothing"), "available 0", ("default", "available 0"),
    )
]  # fmt: skip

BYSTANDERS = [
    case
    for outcome in ENDS
    for case in (
        Case(
            scene.running, outcome, cancel, PASSES,
            ("recorded", "running"), ENDS[outcome], ("running", "running 1"),
        ),
        Case(
            scene.running, cancel, outcome, PASSES,
            ("running", "recorded"), ENDS[outcome], ("recorded", ENDS[outcome]),
        ),
        Case(
            scene.running, outcome, run_now, PASSES,
            ("recorded", "running"), ENDS[outcome], ("running", "running 1"),
        ),
        Case(
            scene.running, outcome, claim_two, PASSES,
            ("recorded", "nothing"), ENDS[outcome], ("nothing", "running 1"),
        ),
        Case(
            scene.running, outcome, promote, PASSES,
            ("recorded", "0 promoted"), ENDS[outcome], ("0 promoted", "running 1"),
        ),
        Case(
            scene.running, outcome, redrive, PASSES,
            ("recorded", "not there"), ENDS[outcome], ("not there", "running 1"),
        ),
    )
]  # fmt: skip

WITH_EFFECTS = [
    case
    for outcome in ENDS
    for case in (
        Case(
            scene.running, outcome, effects_one, WAITS,
            ("recorded", "lease lost"), ENDS[outcome], ("done", "completed 1"),
        ),
        Case(
            scene.running, effects_one, outcome, WAITS,
            ("done", "stale"), "completed 1", ("recorded", ENDS[outcome]),
        ),
    )
]  # fmt: skip


@every_end(TWO_OUTCOMES)
def test_of_two_outcomes_of_one_attempt_the_first_counts_and_the_other_is_told_so(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)


@every_end(HANDED_BACK)
def test_an_outcome_and_a_job_handed_back_exclude_each_other(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@every_end(BYSTANDERS)
def test_nobody_waits_for_an_outcome_that_is_being_recorded(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@every_end(WITH_EFFECTS)
def test_effects_are_committed_only_with_the_completion_they_belong_to(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)
