"""People, the leader and each other: cancel, run now and promote, for one job that waits."""

from __future__ import annotations

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import cancel, promote, run_now
from tests.races.ring import Fate, Ring

WAITS, PASSES = Fate.WAITS, Fate.PASSES

CASES = [
    Case(
        scene.due, promote, cancel, WAITS,
        ("1 promoted", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.due, cancel, promote, PASSES,
        ("cancelled", "0 promoted"), "cancelled 0", ("0 promoted", "scheduled 0"),
    ),
    Case(
        scene.due, promote, run_now, WAITS,
        ("1 promoted", "available"), "available 0", ("available", "available 0"),
    ),
    Case(
        scene.due, run_now, promote, PASSES,
        ("available", "0 promoted"), "available 0", ("0 promoted", "scheduled 0"),
    ),
    Case(
        scene.due, promote, promote, PASSES,
        ("1 promoted", "0 promoted"), "available 0", ("0 promoted", "scheduled 0"),
    ),
    Case(
        scene.later, run_now, run_now, WAITS,
        ("available", "available"), "available 0", ("available", "available 0"),
    ),
    Case(
        scene.later, run_now, cancel, WAITS,
        ("available", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.later, cancel, run_now, WAITS,
        ("cancelled", "ended"), "cancelled 0", ("available", "available 0"),
    ),
    Case(
        scene.waiting, cancel, cancel, WAITS,
        ("cancelled", "ended"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_two_hands_on_one_job_that_waits(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)
