"""Partitions of the history come and go while acks write to them and people read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import Move, bury, cancel, claim_one, complete, drop, make, show
from tests.races.ring import DEADLINE_SECONDS, Fate, Ring, check_fate, meet

WAITS, PASSES, GIVES_UP = Fate.WAITS, Fate.PASSES, Fate.GIVES_UP

CASES = [
    Case(
        scene.old, show, drop, GIVES_UP,
        ("completed", "later"), "completed 1", ("later", "completed 1"),
    ),
    Case(
        scene.old, drop, show, WAITS,
        ("1 dropped", "not there"), "gone", ("completed", "completed 1"),
    ),
    Case(
        scene.old, complete, drop, GIVES_UP,
        ("recorded", "later"), "completed 1", ("later", "completed 1"),
    ),
    Case(
        scene.old, drop, complete, WAITS,
        ("1 dropped", "recorded"), "gone", ("recorded", "completed 1"),
    ),
    Case(
        scene.old, bury, drop, GIVES_UP,
        ("recorded", "later"), "completed 1", ("later", "completed 1"),
    ),
    Case(
        scene.old, drop, bury, WAITS,
        ("1 dropped", "recorded"), "gone", ("recorded", "completed 1"),
    ),
    Case(
        scene.old, drop, claim_one, PASSES,
        ("1 dropped", "nothing"), "gone", ("nothing", "completed 1"),
    ),
    Case(scene.old, drop, drop, GIVES_UP, ("1 dropped", "later"), "gone", ("later", "completed 1")),
    Case(
        scene.old, drop, make, GIVES_UP,
        ("1 dropped", "0 made or later"), "gone", ("0 made or later", "completed 1"),
    ),
    Case(
        scene.unpartitioned, complete, make, GIVES_UP,
        ("recorded", "later"), "completed 1", ("later", "running 1"),
    ),
    Case(
        scene.unpartitioned, make, complete, WAITS,
        ("1 made", "recorded"), "completed 1", ("recorded", "completed 1"),
    ),
    Case(
        scene.unpartitioned, make, show, WAITS,
        ("1 made", "running"), "running 1", ("running", "running 1"),
    ),
    Case(
        scene.unpartitioned, make, make, GIVES_UP,
        ("1 made", "later"), "running 1", ("later", "running 1"),
    ),
    Case(
        scene.waiting, drop, cancel, PASSES,
        ("0 dropped", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_history_changes_its_partitions_and_nobody_loses_a_job(
    ring: Ring, case: Case, commit: bool
):
    check(ring, case, commit=commit)


@pytest.mark.parametrize(("make_scene", "move"), [(scene.old, drop), (scene.unpartitioned, make)])
def test_two_leaders_that_change_the_partitions_at_once_are_both_content(
    ring: Ring, make_scene: scene.MakeScene, move: Move
):
    """The second waits for the first, which ends before the second gives up."""
    meeting = make_scene(ring.looker)
    told = meet(
        ring,
        lambda: move(ring.left, meeting),
        lambda: move(ring.right, meeting),
        Fate.EITHER,
        commit=True,
    )
    assert told.first in {"1 dropped", "1 made"}
    assert told.second in {"0 dropped", "0 made", "later"}


def test_an_ack_that_waits_behind_a_drop_that_gives_up_is_recorded(ring: Ring):
    """Three in a row: a reader, the leader that cannot drop what is read, and an ack behind it."""
    meeting = scene.old(ring.looker)
    with ThreadPoolExecutor(2) as thread:
        with ring.left.transaction():
            show(ring.left, meeting)
            dropped = thread.submit(drop, ring.right, meeting)
            acked = thread.submit(complete, ring.looker, meeting)
            assert acked.result(DEADLINE_SECONDS) == "recorded"
            check_fate(ring, dropped, GIVES_UP)
        assert dropped.result() == "later"
