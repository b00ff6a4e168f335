"""Claiming: which jobs a worker is given, in what order, and that nobody else is."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from jobqueue.store import claims, jobs
from tests.store.steps import (
    claim,
    complete,
    do,
    enqueue,
    enqueue_many,
    expire,
    let_pass,
    register,
    reschedule,
    show,
    states,
)


def test_a_claimed_job_runs_under_its_workers_lease_and_the_attempt_is_counted(session):
    job_id = enqueue(session, args='{"user_id": 42}', attempts=3)
    worker = register(session)
    [job] = claim(session, worker)
    assert job[:6] == (str(job_id), "work", '{"user_id": 42}', 1, 3, "default")
    record = show(session, job_id)
    assert (record.state, record.attempt, record.worker_id) == ("running", 1, worker)
    assert record.started_at is not None
    assert record.started_at >= record.enqueued_at


def test_no_two_claims_have_the_same_lease(session, other):
    enqueue_many(session, 6)
    worker = register(session)
    claimed = [claim(one, worker, 2) for one in (session, other, session)]
    assert [len({job.lease for job in batch}) for batch in claimed] == [1, 1, 1]
    assert len({batch[0].lease for batch in claimed}) == 3


def test_a_claim_is_in_the_order_of_priority_then_of_enqueue(session):
    order = [(5, "a"), (1, "b"), (10, "c"), (1, "d"), (5, "e"), (-3, "f"), (10, "g")]
    ids = {name: str(enqueue(session, priority=priority)) for priority, name in order}
    claimed = claim(session, register(session))
    assert [job.id for job in claimed] == [ids[name] for name in "fbdaecg"]


def test_jobs_enqueued_together_are_claimed_in_their_order_a_few_at_a_time(session):
    ids = [str(one) for one in enqueue_many(session, 20)]
    worker = register(session)
    claimed = [job.id for _ in range(7) for job in claim(session, worker, 3)]
    assert claimed == ids


def test_among_jobs_of_one_priority_the_one_due_first_runs_first(session):
    now = datetime.now(UTC)
    minutes = [5, 30, 1, 20]
    ids = [str(enqueue(session, run_at=now - timedelta(minutes=ago))) for ago in minutes]
    claimed = claim(session, register(session))
    assert [job.id for job in claimed] == [ids[1], ids[3], ids[0], ids[2]]


def test_no_more_jobs_are_claimed_than_asked_for(session):
    enqueue_many(session, 5)
    worker = register(session)
    assert [len(claim(session, worker, limit)) for limit in (0, 2, 2, 2)] == [0, 2, 2, 1]
    assert claim(session, worker) == []


def test_each_queue_has_its_own_limit_and_other_queues_are_left_alone(session):
    for queue in ("a", "b", "c"):
        enqueue_many(session, 4, queue=queue)
    claimed = claim(session, register(session), a=1, b=3)
    assert sorted(job.queue for job in claimed) == ["a", "b", "b", "b"]


def test_jobs_of_several_queues_come_in_the_order_of_priority(session):
    low = enqueue(session, queue="a", priority="low")
    urgent = enqueue(session, queue="b", priority="critical")
    claimed = claim(session, register(session), a=5, b=5)
    assert [job.id for job in claimed] == [str(urgent), str(low)]


def test_tasks_a_worker_does_not_know_are_left_to_others_and_do_not_stand_in_the_way(session):
    enqueue(session, "unheard_of", priority="critical")
    known = enqueue(session, "work")
    worker = register(session)
    assert [job.id for job in claim(session, worker, 1)] == [str(known)]
    assert claim(session, worker) == []
    assert [job.task for job in claim(session, worker, tasks=["unheard_of"])] == ["unheard_of"]


def test_unknown_tasks_are_named_for_a_warning(session):
    for task in ("work", "strange", "strange", "stranger"):
        enqueue(session, task)
    enqueue(session, "elsewhere", queue="other")
    enqueue(session, "later", delay=60)
    found = do(session, jobs.unknown_tasks(["default"], ["work"]))
    assert sorted(found) == ["strange", "stranger"]


def test_what_is_not_available_is_not_claimed(session):
    enqueue(session, delay=60)
    [running] = enqueue_many(session, 1)
    worker = register(session)
    assert [job.id for job in claim(session, worker)] == [str(running)]
    assert claim(session, worker) == []
    assert states(session) == {"running": 1, "scheduled": 1}


def test_a_job_due_later_is_not_claimed_even_when_its_time_has_come_until_it_is_promoted(session):
    enqueue(session, delay=60)
    let_pass(session, 61)
    assert claim(session, register(session)) == []


def test_an_urgent_job_overtakes_a_long_line(session):
    enqueue_many(session, 50)
    worker = register(session)
    claim(session, worker, 10)
    urgent = enqueue(session, priority="critical")
    assert claim(session, worker, 10)[0].id == str(urgent)


def test_each_attempt_is_counted(session):
    enqueue(session)
    worker = register(session)
    for attempt in (1, 2, 3):
        [job] = claim(session, worker)
        assert job.attempt == attempt
        reschedule(session, job)


def test_jobs_in_the_hands_of_a_claim_that_has_not_committed_are_passed_over(session, other):
    ids = [str(one) for one in enqueue_many(session, 10)]
    one, two = register(session), register(session)
    with session.transaction():
        assert [job.id for job in claim(session, one, 4)] == ids[:4]
        assert [job.id for job in claim(other, two, 4)] == ids[4:8]
    assert [job.id for job in claim(other, two)] == ids[8:]


def test_a_claim_that_is_rolled_back_gives_its_jobs_to_the_next_and_counts_nothing(session, other):
    enqueue_many(session, 3)
    worker = register(session)
    with session.transaction(force_rollback=True):
        claim(session, worker)
    assert [job.attempt for job in claim(other, worker)] == [1, 1, 1]


def test_two_workers_claiming_and_finishing_at_once_never_get_the_same_job(session, other):
    ids = {str(one) for one in enqueue_many(session, 600)}
    chance = random.Random(7)
    sizes = [chance.randint(1, 15) for _ in range(1_000)]

    def play(connection):
        worker = register(connection)
        taken = []
        for size in sizes:
            if not (batch := claim(connection, worker, size)):
                return taken
            taken += [job.id for job in batch]
            assert complete(connection, *batch) == []
        return taken

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(play, (session, other))
    assert len(one) + len(two) == 600
    assert set(one) | set(two) == ids
    assert states(session) == {"completed": 600}


def test_a_lost_claim_is_handed_back_without_counting_the_attempt(session):
    ids = [str(one) for one in enqueue_many(session, 3)]
    worker, another = register(session), register(session)
    [kept] = claim(session, worker, 1)
    [lost] = claim(session, worker, 1)
    claim(session, another, 1)
    assert do(session, jobs.hand_back(worker, [(kept.id, kept.lease)])) == ["default"]
    found = [(show(session, one).state, show(session, one).attempt) for one in ids]
    assert found == [("running", 1), ("available", 0), ("running", 1)]
    assert show(session, ids[1]).worker_id is None
    assert complete(session, lost) == [ids[1]]


def test_of_one_claim_the_jobs_that_are_not_known_are_handed_back(session):
    enqueue_many(session, 3)
    worker = register(session)
    known, before, unknown = claim(session, worker, 3)
    assert known.lease == unknown.lease
    # An id alone does not tell either: it may be of a run that is over.
    hand_back = jobs.hand_back(worker, [(known.id, known.lease), (before.id, before.lease - 1)])
    assert do(session, hand_back) == ["default"] * 2
    found = [show(session, one.id).state for one in (known, before, unknown)]
    assert found == ["running", "available", "available"]


def test_a_look_that_finds_nothing_writes_nothing(session):
    worker = register(session)
    with session.transaction():
        assert claim(session, worker) == []
        written = session.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
    assert written == (None,)


@pytest.mark.parametrize("refused", ["struck off", "being struck off", "lease over"])
def test_a_claim_that_is_refused_says_so(session, other, refused):
    enqueue(session)
    worker = register(session)
    statement = claims.claim(worker, {"default": 1}, ["work"])
    assert claims.look(do(session, claims.claim(worker, {"default": 0}, ["work"]))).walked == 0
    with other.transaction(force_rollback=True):
        if refused == "lease over":
            expire(session, worker)
        else:
            where = session if refused == "struck off" else other
            where.execute("DELETE FROM jobqueue.workers WHERE id = %s", [worker])
        look = claims.look(do(session, statement))
    assert (look.jobs, look.walked) == ([], None)


def test_a_claim_waits_for_nobody_and_takes_nothing_while_its_worker_is_being_struck_off(
    session, other
):
    enqueue(session)
    worker = register(session)
    with other.transaction(force_rollback=True):
        other.execute("DELETE FROM jobqueue.workers WHERE id = %s", [worker])
        assert claim(session, worker) == []
    assert len(claim(session, worker)) == 1
