"""Keys: two enqueues under one, and an enqueue that meets whoever ends the job or the key."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobqueue import Unique
from jobqueue.core.options import EnqueueOptions
from jobqueue.store import jobs
from tests import waiting
from tests.races import scene
from tests.races.cases import Case, check, every_end
from tests.races.moves import (
    Move,
    cancel,
    claim_one,
    forget,
    once,
    promote,
    put_off,
    replace,
    run_now,
    same_id,
    settle,
    skip,
)
from tests.races.ring import DEADLINE_SECONDS, Fate, Ring, check_fate
from tests.store.steps import do, enqueue, show, states

WAITS, PASSES, EITHER = Fate.WAITS, Fate.PASSES, Fate.EITHER

ONCE = [
    Case(
        scene.empty, once, once, WAITS,
        ("inserted new", "met new"), "gone", ("inserted new", "gone"),
    ),
    Case(
        scene.once, forget, once, PASSES,
        ("0 forgotten", "met job"), "completed 1", ("met job", "completed 1"),
    ),
    Case(
        scene.once, once, forget, PASSES,
        ("met job", "0 forgotten"), "completed 1", ("0 forgotten", "completed 1"),
    ),
    Case(
        scene.once_over, forget, once, WAITS,
        ("1 forgotten", "inserted new"), "completed 1", ("inserted new", "completed 1"),
    ),
    Case(
        scene.once_over, once, forget, PASSES,
        ("inserted new", "0 forgotten"), "completed 1", ("0 forgotten", "completed 1"),
    ),
    Case(
        scene.once_over, once, once, WAITS,
        ("inserted new", "met new"), "completed 1", ("inserted new", "completed 1"),
    ),
    Case(
        scene.once_over, forget, forget, PASSES,
        ("1 forgotten", "0 forgotten"), "completed 1", ("0 forgotten", "completed 1"),
    ),
    Case(
        scene.empty, same_id, same_id, WAITS,
        ("inserted new", "met new"), "gone", ("inserted new", "gone"),
    ),
    Case(
        scene.waiting, cancel, same_id, PASSES,
        ("cancelled", "met job"), "cancelled 0", ("met job", "available 0"),
    ),
]  # fmt: skip

UNIQUE = [
    Case(
        scene.empty, skip, skip, WAITS,
        ("inserted new", "met new"), "gone", ("inserted new", "gone"),
    ),
    Case(
        scene.empty, replace, skip, WAITS,
        ("inserted new", "met new"), "gone", ("inserted new", "gone"),
    ),
    Case(
        scene.empty, skip, replace, WAITS,
        ("inserted new", "replaced new"), "gone", ("inserted new", "gone"),
    ),
    Case(
        scene.keyed, skip, skip, PASSES,
        ("met job", "met job"), "available 0", ("met job", "available 0"),
    ),
    Case(
        scene.keyed, replace, put_off, WAITS,
        ("replaced job", "replaced job"), "scheduled 0", ("replaced job", "scheduled 0"),
    ),
    Case(
        scene.keyed, put_off, replace, WAITS,
        ("replaced job", "replaced job"), "available 0", ("replaced job", "available 0"),
    ),
    Case(
        scene.keyed, replace, skip, WAITS,
        ("replaced job", "met job"), "available 0", ("met job", "available 0"),
    ),
    Case(
        scene.keyed, skip, replace, PASSES,
        ("met job", "inserted new"), "available 0", ("inserted new", "available 0"), settled=True,
    ),
    Case(
        scene.keyed, skip, cancel, WAITS,
        ("met job", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.keyed, replace, cancel, WAITS,
        ("replaced job", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.keyed, cancel, skip, EITHER, ("cancelled", "inserted new"), "cancelled 0",
        ("met job or inserted new", "available 0"), settled=True,
    ),
    Case(
        scene.keyed, cancel, replace, PASSES, ("cancelled", "inserted new"), "cancelled 0",
        ("inserted new", "available 0"), settled=True,
    ),
    Case(
        scene.keyed_later, run_now, skip, EITHER, ("available", "met job or inserted new"),
        "available 0", ("met job or inserted new", "scheduled 0"), settled=True,
    ),
    Case(
        scene.keyed_later, run_now, put_off, PASSES, ("available", "inserted new"),
        "scheduled 0", ("inserted new", "scheduled 0"), settled=True,
    ),
    Case(
        scene.keyed_later, put_off, run_now, WAITS, ("replaced job", "available"),
        "available 0", ("available", "available 0"),
    ),
    Case(
        scene.keyed_later, replace, run_now, WAITS, ("replaced job", "available"),
        "available 0", ("available", "available 0"),
    ),
    Case(
        scene.keyed_due, promote, put_off, PASSES, ("1 promoted", "inserted new"),
        "scheduled 0", ("inserted new", "scheduled 0"), settled=True,
    ),
    Case(
        scene.keyed_due, put_off, promote, PASSES, ("replaced job", "0 promoted"),
        "scheduled 0", ("0 promoted", "scheduled 0"),
    ),
]  # fmt: skip

SETTLED = [
    Case(
        scene.contested, settle, settle, PASSES,
        ("1 settled", "0 settled"), "available 0", ("0 settled", "available 0"),
    ),
    Case(
        scene.contested, settle, cancel, WAITS,
        ("1 settled", "cancelled"), "cancelled 0", ("cancelled", "cancelled 0"),
    ),
    Case(
        scene.contested, cancel, settle, PASSES,
        ("cancelled", "0 settled"), "cancelled 0", ("0 settled", "available 0"),
    ),
    Case(
        scene.contested, settle, run_now, PASSES,
        ("1 settled", "blocked"), "available 0", ("blocked", "available 0"),
    ),
    Case(
        scene.contested, settle, claim_one, PASSES,
        ("1 settled", "nothing"), "available 0", ("nothing", "available 0"),
    ),
    Case(
        scene.contested, settle, same_id, PASSES,
        ("1 settled", "met job"), "available 0", ("met job", "available 0"),
    ),
    Case(
        scene.contested, settle, skip, WAITS,
        ("1 settled", "met job"), "available 0", ("inserted new", "cancelled 0"), settled=True,
    ),
]  # fmt: skip


@every_end(ONCE)
def test_a_key_or_an_id_that_is_used_twice_makes_one_job(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@every_end(UNIQUE)
def test_one_job_at_a_time_waits_under_a_unique_key(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@every_end(SETTLED)
def test_a_contested_job_is_decided_about_once(ring: Ring, case: Case, commit: bool):
    check(ring, case, commit=commit)


@pytest.mark.parametrize("end", [cancel, run_now])
@pytest.mark.parametrize("again", [skip, replace], ids=["skip", "replace"])
def test_ending_a_job_and_enqueueing_another_under_its_key_in_one_transaction_is_no_deadlock(
    ring: Ring, end: Move, again: Move
):
    """Somebody else's enqueue waits for the job's row, with the key that we want next."""
    meeting = scene.keyed_later(ring.looker)
    with ThreadPoolExecutor(1) as thread:
        with ring.left.transaction():
            end(ring.left, meeting)
            answer = thread.submit(skip, ring.right, meeting)
            waiting.until(lambda: answer.done() or ring.blockers(ring.right), what="it is seen")
            again(ring.left, meeting)
        answer.result(DEADLINE_SECONDS)
    settle(ring.looker, meeting)
    found = ring.looker.execute("SELECT count(*) FROM jobqueue.jobs")
    assert found.fetchone() == (1,)


def by_name(name: str) -> str:
    return name


def test_many_keys_in_one_statement_are_waited_for_and_none_is_contested(ring: Ring):
    """They are taken in the order of their numbers, so the next one may always be waited for."""
    hashes = "SELECT k FROM unnest(%s::text[]) AS k ORDER BY jobqueue.key_hash('unique', 'work', k)"
    names = [f"key {number}" for number in range(20)]
    last = [key for (key,) in ring.looker.execute(hashes, [names])][-1]
    args = json.dumps([{"name": name} for name in names])
    options = EnqueueOptions().using({"unique": Unique.skip(by_name)})
    many = jobs.enqueue_many(
        "work", args, options, [options.keys({"name": name}) for name in names]
    )
    with ThreadPoolExecutor(1) as thread:
        with ring.left.transaction():
            met = enqueue(ring.left, unique=Unique.skip(last))
            answer = thread.submit(do, ring.right, many)
            waiting.until(lambda: answer.done() or ring.blockers(ring.right), what="it is seen")
        told = dict(zip(names, answer.result(DEADLINE_SECONDS), strict=True))
    assert (told[last].outcome, told[last].id) == ("met", met)
    assert states(ring.looker) == {"available": len(names)}


def test_the_leader_waits_for_nobody_who_has_a_job_locked_when_it_settles(ring: Ring):
    """It has other duties, and jobs that are due would wait with it."""
    meeting = scene.contested_skip(ring.looker)
    waits = enqueue(ring.looker, unique=Unique.skip(scene.KEY))
    with ThreadPoolExecutor(1) as thread, ring.left.transaction(force_rollback=True):
        assert do(ring.left, jobs.cancel(waits)) == ["cancelled"]
        answer = thread.submit(settle, ring.right, meeting)
        check_fate(ring, answer, PASSES)
        assert answer.result() == "0 settled"
    assert settle(ring.looker, meeting) == "1 settled"
    assert show(ring.looker, meeting.job).state == "cancelled"
