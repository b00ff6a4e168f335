"""What an operator does to one job, and to dead letters: cancel, retry, redrive, edit, purge."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest

from jobqueue.store import dead_letters, jobs
from jobqueue.store.dead_letters import Filter
from tests.store.steps import (
    FAILURE,
    bury,
    claim,
    complete,
    do,
    enqueue,
    in_state,
    register,
    show,
    states,
)


def cancel(session, job_id):
    return do(session, jobs.cancel(job_id))


def retry(session, job_id):
    return do(session, jobs.retry(job_id))


def redrive(session, job_id):
    return [row[0] for row in session.execute("SELECT jobqueue.redrive_v1(%s)", [job_id])]


@pytest.mark.parametrize(
    ("act", "before", "answer", "after"),
    [
        (cancel, "available", "cancelled", "cancelled"),
        (cancel, "scheduled", "cancelled", "cancelled"),
        (cancel, "running", "asked", "running"),
        (cancel, "completed", "ended", "completed"),
        (cancel, "cancelled", "ended", "cancelled"),
        (cancel, "dead", "ended", "dead"),
        (cancel, "unknown", "unknown", None),
        (retry, "available", "available", "available"),
        (retry, "scheduled", "available", "available"),
        (retry, "running", "running", "running"),
        (retry, "completed", "ended", "completed"),
        (retry, "cancelled", "ended", "cancelled"),
        (retry, "dead", "redriven", "available"),
        (retry, "unknown", "unknown", None),
        (redrive, "available", False, "available"),
        (redrive, "scheduled", False, "scheduled"),
        (redrive, "running", False, "running"),
        (redrive, "completed", False, "completed"),
        (redrive, "cancelled", False, "cancelled"),
        (redrive, "dead", True, "available"),
        (redrive, "unknown", False, None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_act_answers_and_moves_the_job_as_it_should(session, act, before, answer, after):
    job_id = in_state(session, before)
    assert act(session, job_id) == [answer]
    assert states(session) == ({after: 1} if after else {})


def test_a_cancelled_job_keeps_what_is_known_of_it(session):
    job_id = enqueue(session, args='{"n": 1}', delay=60)
    before = show(session, job_id)
    cancel(session, job_id)
    record = show(session, job_id)
    assert record.finished_at is not None
    assert record.finished_at >= record.enqueued_at
    assert (record.args, record.run_at, record.task) == (before.args, before.run_at, before.task)


def test_a_cancelled_job_is_never_claimed(session):
    cancel(session, enqueue(session))
    assert claim(session, register(session)) == []


def test_a_scheduled_job_that_is_retried_can_be_claimed_now(session):
    job_id = enqueue(session, delay=3600)
    retry(session, job_id)
    [job] = claim(session, register(session))
    assert job.id == str(job_id)


def test_a_redriven_job_has_fresh_attempts_and_keeps_its_id_arguments_and_errors(session):
    job_id = in_state(session, "dead")
    redrive(session, job_id)
    record = show(session, job_id)
    assert (record.attempt, record.max_attempts) == (0, 5)
    assert (record.worker_id, record.started_at, record.finished_at) == (None, None, None)
    assert len(record.errors or []) == 1
    worker = register(session)
    [job] = claim(session, worker)
    assert (job.id, job.attempt) == (str(job_id), 1)
    bury(session, job)
    assert len(show(session, job_id).errors or []) == 2


def test_a_redriven_job_waits_behind_what_was_there_before_it(session):
    dead = in_state(session, "dead")
    waiting = enqueue(session)
    redrive(session, dead)
    assert [job.id for job in claim(session, register(session))] == [str(waiting), str(dead)]


def test_several_are_redriven_by_id_and_those_that_came_back_are_named(session):
    dead = [in_state(session, "dead") for _ in range(3)]
    running = in_state(session, "running")
    back = do(session, dead_letters.redrive([*dead[:2], running, UUID(int=0)]))
    assert sorted(back) == sorted(str(one) for one in dead[:2])
    assert states(session) == {"available": 2, "dead": 1, "running": 1}


@pytest.fixture
def buried(session) -> dict[str, UUID]:
    """Four dead letters of two queues and two tasks, the oldest first."""
    worker = register(session)
    found = {}
    for age, (name, task, queue) in enumerate(
        [("a", "t1", "q1"), ("b", "t2", "q1"), ("c", "t1", "q2"), ("d", "t2", "q2")]
    ):
        found[name] = enqueue(session, task, queue=queue)
        bury(session, *claim(session, worker, tasks=[task], **{queue: 1}))
        session.execute(
            "UPDATE jobqueue.dead_letters SET finished_at = finished_at - %s WHERE id = %s",
            [timedelta(hours=10 - age), found[name]],
        )
    return found


FILTERS = [
    (Filter(), "abcd"),
    (Filter(queue="q1"), "ab"),
    (Filter(task="t2"), "bd"),
    (Filter(queue="q2", task="t1"), "c"),
    (Filter(queue="q3"), ""),
]
every_filter = pytest.mark.parametrize(("which", "names"), FILTERS, ids=str)


@every_filter
def test_dead_letters_are_listed_newest_first_by_filter(session, buried, which, names):
    found = do(session, dead_letters.list_dead(which, limit=10))
    assert [record.id for record in found] == [buried[name] for name in reversed(names)]
    assert {record.state for record in found} <= {"dead"}


@every_filter
@pytest.mark.parametrize("act", [dead_letters.redrive_matching, dead_letters.purge_matching])
def test_dead_letters_are_redriven_or_purged_by_filter(session, buried, which, names, act):
    found = do(session, act(which, limit=10))
    assert sorted(found) == sorted(str(buried[name]) for name in names)
    redriven = len(names) if act is dead_letters.redrive_matching else 0
    expected = {"dead": 4 - len(names), "available": redriven}
    assert states(session) == {state: number for state, number in expected.items() if number}


def test_dead_letters_can_be_chosen_by_the_time_of_their_death(session, buried):
    before = show(session, buried["c"]).finished_at
    which = Filter(died_before=before)
    assert len(do(session, dead_letters.list_dead(which, limit=10))) == 2
    back = do(session, dead_letters.redrive_matching(which, limit=10))
    assert sorted(back) == sorted([str(buried["a"]), str(buried["b"])])


def test_the_oldest_dead_letters_are_redriven_first_when_there_is_a_limit(session, buried):
    assert do(session, dead_letters.redrive_matching(Filter(), limit=1)) == [str(buried["a"])]
    assert do(session, dead_letters.purge_matching(Filter(), limit=1)) == [str(buried["b"])]


def test_a_dead_letter_can_be_given_other_arguments_and_runs_with_them(session):
    job_id = in_state(session, "dead")
    assert do(session, dead_letters.edit(job_id, '{"n": 2}')) == [str(job_id)]
    redrive(session, job_id)
    assert json.loads(claim(session, register(session))[0].args) == {"n": 2}


@pytest.mark.parametrize("state", ["available", "completed", "unknown"])
def test_only_a_dead_letter_can_be_edited_or_purged(session, state):
    job_id = in_state(session, state)
    assert do(session, dead_letters.edit(job_id, '{"n": 2}')) == []
    assert do(session, dead_letters.purge([job_id])) == []
    assert states(session) == ({} if state == "unknown" else {state: 1})


def test_a_purged_dead_letter_is_gone(session):
    job_id = in_state(session, "dead")
    assert do(session, dead_letters.purge([job_id])) == [str(job_id)]
    assert do(session, jobs.show(job_id)) == []


def test_jobs_are_listed_newest_first_by_state_queue_and_task(session):
    ended = in_state(session, "completed")
    waiting = enqueue(session, "other", queue="email")
    dead = in_state(session, "dead")

    def listed(state=None, queue=None, task=None, limit=10):
        found = jobs.list_jobs(state=state, queue=queue, task=task, limit=limit)
        return [record.id for record in do(session, found)]

    assert listed() == [dead, waiting, ended]
    assert listed(limit=2) == [dead, waiting]
    assert listed(state="completed") == [ended]
    assert listed(queue="email") == [waiting]
    assert listed(task="work") == [dead, ended]
    assert listed(state="dead", queue="email") == []


def test_a_job_that_fails_after_a_redrive_and_then_works_keeps_its_errors_in_history(session):
    job_id = in_state(session, "dead")
    redrive(session, job_id)
    worker = register(session)
    complete(session, *claim(session, worker))
    record = show(session, job_id)
    assert record.state == "completed"
    assert [error["error"] for error in record.errors or []] == [FAILURE["error"]]
