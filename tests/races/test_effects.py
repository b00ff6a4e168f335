"""Effects in the database and the completion of their job are one commit, whoever else is there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from jobqueue.store import processed
from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import cancel, claim_two, effects_one, effects_two, rescue, run_now
from tests.races.ring import DEADLINE_SECONDS, Fate, Ring, check_fate
from tests.store.steps import do

WAITS, PASSES = Fate.WAITS, Fate.PASSES

CASES = [
    Case(
        scene.delivered_twice, effects_one, effects_two, PASSES,
        ("lease lost", "done"), "completed 2", ("done", "completed 2"),
    ),
    Case(
        scene.delivered_twice, effects_two, effects_one, WAITS,
        ("done", "already done"), "completed 2", ("lease lost", "running 2"),
    ),
    Case(
        scene.running, effects_one, effects_one, WAITS,
        ("done", "already done"), "completed 1", ("done", "completed 1"),
    ),
    Case(
        scene.running, effects_one, cancel, PASSES,
        ("done", "running"), "completed 1", ("running", "running 1"),
    ),
    Case(
        scene.running, effects_one, run_now, PASSES,
        ("done", "running"), "completed 1", ("running", "running 1"),
    ),
]  # fmt: skip


@every_end(CASES)
def test_effects_are_made_once(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


def begin_effects(ring: Ring, meeting: scene.Scene) -> None:
    """Let `one` note the job and make an effect; it has not completed the job yet."""
    job = meeting.held["one"]
    assert do(ring.left, processed.begin(job)) == [job.id]
    ring.left.execute("INSERT INTO public.effects VALUES (%s::uuid)", [job.id])


def lose_the_lease(ring: Ring, meeting: scene.Scene) -> None:
    """Let `one` try to complete the job, find that it is not its own, and roll back as it must."""
    assert do(ring.left, processed.complete(meeting.held["one"], 0.1)) == []
    raise psycopg.Rollback


def effects(ring: Ring) -> int:
    [(number,)] = ring.looker.execute("SELECT count(*) FROM public.effects").fetchall()
    return number


def test_a_job_that_is_rescued_while_its_effects_are_made_loses_them_and_runs_again(ring: Ring):
    meeting = scene.lost(ring.looker)
    with ring.left.transaction():
        begin_effects(ring, meeting)
        assert rescue(ring.right, meeting) == "one: 1 retried, 0 buried"
        lose_the_lease(ring, meeting)
    assert effects(ring) == 0
    assert claim_two(ring.right, meeting) == "job 2"
    assert effects_two(ring.right, meeting) == "done"
    assert (effects(ring), scene.standing(ring.looker, meeting)) == (1, "completed 2")


def test_the_second_delivery_waits_for_the_first_and_makes_the_effects_if_that_lost_its_lease(
    ring: Ring,
):
    meeting = scene.delivered_twice(ring.looker)
    with ThreadPoolExecutor(1) as thread:
        with ring.left.transaction():
            begin_effects(ring, meeting)
            answer = thread.submit(effects_two, ring.right, meeting)
            check_fate(ring, answer, WAITS)
            lose_the_lease(ring, meeting)
        assert answer.result(DEADLINE_SECONDS) == "done"
    assert (effects(ring), scene.standing(ring.looker, meeting)) == (1, "completed 2")
