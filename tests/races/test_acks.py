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

WHEN_ASKED: dict[Move, str] = {
    complete: "completed 1",
    fail: "cancelled 1",
    snooze: "cancelled 0",
    give_back: "cancelled 0",
    bury: "cancelled 1",
    withdraw: "cancelled 1",
}
"""Where it leaves a job that is to be cancelled."""

TWO_OUTCOMES = [
    Case(
        scene.running, first, second, WAITS,
        ("recorded", "stale"), ENDS[first], ("recorded", ENDS[second]),
    )
    for first, second in product(ENDS, ENDS)
]  # fmt: skip

TWO_OUTCOMES_WHEN_ASKED = [
    Case(
        scene.asked, first, second, WAITS,
        ("recorded", "stale"), WHEN_ASKED[first], ("recorded", WHEN_ASKED[second]),
    )
    for first, second in [*product(ENDS, [fail]), *product([fail], ENDS), (bury, bury)]
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

HANDED_BACK_WHEN_ASKED = [
    case
    for outcome in ENDS
    for case in (
        Case(
            scene.asked, outcome, hand_back, WAITS,
            ("recorded", "nothing"), WHEN_ASKED[outcome], ("nothing", "cancelled 0"),
        ),
        Case(
            scene.asked, hand_back, outcome, WAITS,
            ("nothing", "stale"), "cancelled 0", ("recorded", WHEN_ASKED[outcome]),
        ),
    )
]  # fmt: skip

LATE = WHEN_ASKED | {bury: "dead 1"}
"""Where it leaves a job that was asked at the same time: nobody waits for whoever asks."""

BYSTANDERS = [
    case
    for outcome in ENDS
    for case in (
        Case(
            scene.running, outcome, cancel, PASSES,
            ("recorded", "asked"), LATE[outcome], ("asked", "running 1"), settled=True,
        ),
        Case(
            scene.running, cancel, outcome, PASSES,
            ("asked", "recorded"), LATE[outcome], ("recorded", ENDS[outcome]), settled=True,
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


@every_end(TWO_OUTCOMES + TWO_OUTCOMES_WHEN_ASKED)
def test_of_two_outcomes_of_one_attempt_the_first_counts_and_the_other_is_told_so(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)


@every_end(HANDED_BACK + HANDED_BACK_WHEN_ASKED)
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
