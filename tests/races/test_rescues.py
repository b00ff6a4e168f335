"""A rescue meets the worker it strikes off, and another rescue."""

from __future__ import annotations

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import (
    bury,
    cancel,
    claim_one,
    claim_two,
    effects_one,
    enter,
    find_orphans,
    hand_back,
    heartbeat,
    leave,
    rescue,
    run_now,
)
from tests.races.ring import Fate, Ring
from tests.races.test_acks import ENDS
from tests.store.steps import expire, show

WAITS, PASSES = Fate.WAITS, Fate.PASSES

RETRIED, BURIED, CANCELLED, NONE = (f"one: {what}" for what in (
    "1 retried, 0 buried", "0 retried, 1 buried", "0 retried, 0 buried, 1 cancelled",
    "0 retried, 0 buried",
))  # fmt: skip

OUTCOMES = [
    case
    for outcome, end in ENDS.items()
    for case in (
        Case(
            scene.lost, outcome, rescue, WAITS,
            ("recorded", NONE), end, (RETRIED, "available 1"),
        ),
        Case(
            scene.lost, rescue, outcome, WAITS,
            (RETRIED, "stale"), "available 1", ("recorded", end),
        ),
        Case(
            scene.lost_last, outcome, rescue, WAITS,
            ("recorded", NONE), end, (BURIED, "dead 1"),
        ),
        Case(
            scene.lost_last, rescue, outcome, WAITS,
            (BURIED, "stale"), "dead 1", ("recorded", end),
        ),
    )
]  # fmt: skip

OTHERS = [
    Case(
        scene.lost, rescue, rescue, PASSES,
        (RETRIED, "nobody"), "available 1", ("nobody", "running 1"),
    ),
    Case(
        scene.lost_last, rescue, rescue, PASSES,
        (BURIED, "nobody"), "dead 1", ("nobody", "running 1"),
    ),
    Case(
        scene.lost, rescue, heartbeat, WAITS,
        (RETRIED, "struck off"), "available 1", ("renewed", "running 1"),
    ),
    Case(
        scene.lost, heartbeat, rescue, PASSES,
        ("renewed", "nobody"), "running 1", ("nobody", "running 1"),
    ),
    Case(
        scene.lost, rescue, hand_back, WAITS,
        (RETRIED, "nothing"), "available 1", ("default", "available 0"),
    ),
    Case(
        scene.lost, hand_back, rescue, WAITS,
        ("default", NONE), "available 0", (RETRIED, "available 1"),
    ),
    Case(
        scene.lost, rescue, effects_one, WAITS,
        (RETRIED, "lease lost"), "available 1", ("done", "completed 1"),
    ),
    Case(
        scene.lost, effects_one, rescue, WAITS,
        ("done", NONE), "completed 1", (RETRIED, "available 1"),
    ),
    Case(
        scene.lost, rescue, claim_two, PASSES,
        (RETRIED, "nothing"), "available 1", ("nothing", "running 1"),
    ),
    Case(
        scene.lost, rescue, claim_one, PASSES,
        (RETRIED, "nothing"), "available 1", ("nothing", "running 1"),
    ),
    Case(
        scene.lost, rescue, cancel, PASSES,
        (RETRIED, "asked"), "cancelled 1", ("asked", "running 1"), settled=True,
    ),
    Case(
        scene.lost, cancel, rescue, PASSES,
        ("asked", RETRIED), "cancelled 1", (RETRIED, "available 1"), settled=True,
    ),
    Case(
        scene.asked_and_lost, rescue, rescue, PASSES,
        (CANCELLED, "nobody"), "cancelled 1", ("nobody", "running 1"),
    ),
    Case(
        scene.asked_and_lost, rescue, hand_back, WAITS,
        (CANCELLED, "nothing"), "cancelled 1", ("nothing", "cancelled 0"),
    ),
    Case(
        scene.asked_and_lost, bury, rescue, WAITS,
        ("recorded", NONE), "cancelled 1", (CANCELLED, "cancelled 1"),
    ),
    Case(
        scene.lost_last, rescue, run_now, PASSES,
        (BURIED, "running"), "dead 1", ("running", "running 1"),
    ),
    Case(scene.silent, rescue, enter, PASSES, (NONE, "entered"), "gone", ("entered", "gone")),
    Case(scene.silent, enter, rescue, PASSES, ("entered", NONE), "gone", (NONE, "gone")),
    Case(scene.silent, rescue, leave, WAITS, (NONE, "not there"), "gone", ("left", "gone")),
    Case(scene.silent, leave, rescue, PASSES, ("left", "nobody"), "gone", ("nobody", "gone")),
    Case(
        scene.silent, leave, heartbeat, WAITS,
        ("left", "struck off"), "gone", ("renewed", "gone"),
    ),
    Case(scene.silent, heartbeat, leave, WAITS, ("renewed", "left"), "gone", ("left", "gone")),
    Case(
        scene.orphaned, find_orphans, find_orphans, WAITS,
        ("1 found", "0 found"), "running 1", ("1 found", "running 1"),
    ),
    Case(
        scene.orphaned, find_orphans, rescue, PASSES,
        ("1 found", "nobody"), "running 1", ("nobody", "running 1"),
    ),
    Case(
        scene.lost, rescue, find_orphans, PASSES,
        (RETRIED, "0 found"), "available 1", ("0 found", "running 1"),
    ),
]  # fmt: skip


@every_end(OUTCOMES)
def test_an_outcome_and_a_rescue_exclude_each_other(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@every_end(OTHERS)
def test_a_rescue_and_another_move_end_as_if_one_came_after_the_other(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)


def test_a_worker_is_not_struck_off_while_it_claims_though_its_lease_ends_meanwhile(ring: Ring):
    meeting = scene.waiting(ring.looker)
    with ring.left.transaction():
        assert claim_one(ring.left, meeting) == "job 1"
        expire(ring.looker, meeting.workers["one"])
        assert rescue(ring.right, meeting) == "nobody"
    assert show(ring.looker, meeting.job).state == "running"
    assert rescue(ring.right, meeting) == RETRIED
    assert show(ring.looker, meeting.job).state == "available"
