"""Effects in the database and the completion of their job are one commit, whoever else is there."""

from __future__ import annotations

import psycopg

from jobqueue.store import processed
from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import cancel, claim_two, effects_one, effects_two, rescue, run_now
from tests.races.ring import Fate, Ring
from tests.store.steps import do

WAITS, PASSES = Fate.WAITS, Fate.PASSES

CASES = [
    Case(
        scene.delivered_twice, effects_one, effects_two, PASSES,
        ("lease lost", "put off"), "running 2", ("put off", "running 2"),
    ),
    Case(
        scene.delivered_twice, effects_two, effects_one, PASSES,
        ("done", "lease lost"), "completed 2", ("lease lost", "running 2"),
    ),
    Case(
        scene.running, effects_one, effects_one, PASSES,
        ("done", "put off"), "completed 1", ("put off", "running 1"),
    ),
    Case(
        scene.running, effects_one, cancel, PASSES,
        ("done", "asked"), "completed 1", ("asked", "running 1"),
    ),
    Case(
        scene.asked, effects_one, effects_one, PASSES,
        ("done", "put off"), "completed 1", ("put off", "running 1"),
    ),
    Case(
        scene.running, effects_one, run_now, PASSES,
        ("done", "running"), "completed 1", ("running", "running 1"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_effects_are_made_once(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


def begin_effects(ring: Ring, meeting: scene.Scene) -> str:
    """Let `one` make an effect; it has not completed the job yet. Gives the transaction."""
    job = meeting.held["one"]
    [begun] = do(ring.left, processed.begin(job))
    assert begun[:3] == (False, True, True)
    ring.left.execute("INSERT INTO public.effects VALUES (%s::uuid)", [job.id])
    return begun.transaction


def lose_the_lease(ring: Ring, meeting: scene.Scene, transaction: str) -> None:
    """Let `one` try to complete the job, find that it is not its own, and roll back as it must."""
    [done] = do(ring.left, processed.complete(meeting.held["one"], transaction, 0.1, keep=True))
    assert not done.recorded
    raise psycopg.Rollback


def effects(ring: Ring) -> int:
    [(number,)] = ring.looker.execute("SELECT count(*) FROM public.effects").fetchall()
    return number


def test_a_job_that_is_rescued_while_its_effects_are_made_loses_them_and_runs_again(ring: Ring):
    meeting = scene.lost(ring.looker)
    with ring.left.transaction():
        transaction = begin_effects(ring, meeting)
        assert rescue(ring.right, meeting) == "one: 1 retried, 0 buried"
        assert claim_two(ring.right, meeting) == "job 2"
        # The second delivery does not wait for the first, which may be frozen.
        assert effects_two(ring.right, meeting) == "put off"
        lose_the_lease(ring, meeting, transaction)
    assert effects(ring) == 0
    assert effects_two(ring.right, meeting) == "done"
    assert (effects(ring), scene.standing(ring.looker, meeting)) == (1, "completed 2")
