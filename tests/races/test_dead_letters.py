"""Two hands on one dead letter: redrive, purge, edit, and the worker that makes it one."""

from __future__ import annotations

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import (
    bury,
    edit,
    purge,
    purge_all,
    redrive,
    redrive_all,
    run_now,
    same_id,
)
from tests.races.ring import Fate, Ring

WAITS, PASSES = Fate.WAITS, Fate.PASSES

CASES = [
    Case(
        scene.dead, redrive, redrive, WAITS,
        ("redriven", "not there"), "available 0", ("redriven", "available 0"),
    ),
    Case(
        scene.dead, redrive, purge, WAITS,
        ("redriven", "not there"), "available 0", ("purged", "gone"),
    ),
    Case(
        scene.dead, purge, redrive, WAITS,
        ("purged", "not there"), "gone", ("redriven", "available 0"),
    ),
    Case(scene.dead, purge, purge, WAITS, ("purged", "not there"), "gone", ("purged", "gone")),
    Case(
        scene.dead, redrive, edit, WAITS,
        ("redriven", "not there"), "available 0", ("edited", "dead 1"),
    ),
    Case(
        scene.dead, edit, redrive, WAITS,
        ("edited", "redriven"), "available 0", ("redriven", "available 0"),
    ),
    Case(scene.dead, edit, edit, WAITS, ("edited", "edited"), "dead 1", ("edited", "dead 1")),
    Case(scene.dead, edit, purge, WAITS, ("edited", "purged"), "gone", ("purged", "gone")),
    Case(scene.dead, purge, edit, WAITS, ("purged", "not there"), "gone", ("edited", "dead 1")),
    Case(
        scene.dead, redrive, run_now, WAITS,
        ("redriven", "available"), "available 0", ("redriven", "available 0"),
    ),
    Case(
        scene.dead, run_now, redrive, WAITS,
        ("redriven", "not there"), "available 0", ("redriven", "available 0"),
    ),
    Case(
        scene.dead, purge, run_now, WAITS,
        ("purged", "unknown"), "gone", ("redriven", "available 0"),
    ),
    Case(
        scene.dead, redrive, redrive_all, PASSES,
        ("redriven", "not there"), "available 0", ("not there", "dead 1"),
    ),
    Case(
        scene.dead, redrive_all, purge, WAITS,
        ("redriven", "not there"), "available 0", ("purged", "gone"),
    ),
    Case(
        scene.dead, redrive_all, purge_all, PASSES,
        ("redriven", "not there"), "available 0", ("not there", "dead 1"),
    ),
    Case(
        scene.dead, purge_all, redrive_all, PASSES,
        ("purged", "not there"), "gone", ("not there", "dead 1"),
    ),
    Case(
        scene.dead, edit, redrive_all, PASSES,
        ("edited", "not there"), "dead 1", ("not there", "dead 1"),
    ),
    Case(
        scene.running, bury, redrive_all, PASSES,
        ("recorded", "not there"), "dead 1", ("not there", "running 1"),
    ),
    Case(
        scene.running, bury, purge, PASSES,
        ("recorded", "not there"), "dead 1", ("not there", "running 1"),
    ),
    Case(
        scene.running, bury, edit, PASSES,
        ("recorded", "not there"), "dead 1", ("not there", "running 1"),
    ),
    Case(
        scene.dead, redrive, same_id, PASSES,
        ("redriven", "met job"), "available 0", ("met job", "dead 1"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_two_hands_on_one_dead_letter(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)
