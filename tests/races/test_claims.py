"""A claim meets whatever else may be done to a job that waits."""

from __future__ import annotations

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import (
    cancel,
    claim_one,
    claim_two,
    promote,
    put_off,
    redrive,
    replace,
    run_now,
    same_id,
    skip,
)
from tests.races.ring import Fate, Ring

WAITS, PASSES, EITHER = Fate.WAITS, Fate.PASSES, Fate.EITHER

CASES = [
    Case(
        scene.waiting, claim_one, claim_two, PASSES,
        ("job 1", "nothing"), "running 1", ("nothing", "available 0"),
    ),
    Case(
        scene.waiting, claim_one, cancel, WAITS,
        ("job 1", "asked"), "running 1", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.waiting, cancel, claim_one, PASSES,
        ("cancelled", "nothing"), "cancelled 0", ("nothing", "available 0"),
    ),
    Case(
        scene.due, claim_one, promote, PASSES,
        ("nothing", "1 promoted"), "available 0", ("1 promoted", "available 0"),
    ),
    Case(
        scene.due, promote, claim_one, PASSES,
        ("1 promoted", "nothing"), "available 0", ("nothing", "scheduled 0"),
    ),
    Case(
        scene.waiting, claim_one, promote, PASSES,
        ("job 1", "0 promoted"), "running 1", ("0 promoted", "available 0"),
    ),
    Case(
        scene.waiting, claim_one, run_now, PASSES,
        ("job 1", "available"), "running 1", ("available", "available 0"),
    ),
    Case(
        scene.later, run_now, claim_one, PASSES,
        ("available", "nothing"), "available 0", ("nothing", "scheduled 0"),
    ),
    Case(
        scene.dead, redrive, claim_one, PASSES,
        ("redriven", "nothing"), "available 0", ("nothing", "dead 1"),
    ),
    Case(
        scene.dead, claim_one, redrive, PASSES,
        ("nothing", "redriven"), "available 0", ("redriven", "available 0"),
    ),
    Case(
        scene.redriven, claim_one, redrive, PASSES,
        ("job 1", "not there"), "running 1", ("not there", "available 0"),
    ),
    Case(
        scene.empty, same_id, claim_one, PASSES,
        ("inserted new", "nothing"), "gone", ("nothing", "gone"),
    ),
    Case(
        scene.keyed, claim_one, replace, PASSES,
        ("job 1", "inserted new"), "running 1", ("inserted new", "available 0"), settled=True,
    ),
    Case(
        scene.keyed, replace, claim_one, PASSES,
        ("replaced job", "nothing"), "available 0", ("nothing", "available 0"),
    ),
    Case(
        scene.keyed, put_off, claim_one, PASSES,
        ("replaced job", "nothing"), "scheduled 0", ("nothing", "available 0"),
    ),
    Case(
        scene.keyed, claim_one, skip, EITHER,
        ("job 1", "inserted new"), "running 1", ("met job or inserted new", "available 0"),
        settled=True,
    ),
    Case(
        scene.keyed, skip, claim_one, PASSES,
        ("met job", "nothing"), "available 0", ("nothing", "available 0"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_a_claim_and_another_move_end_as_if_one_came_after_the_other(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)
