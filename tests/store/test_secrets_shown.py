"""What was secret once, or may be, is shown by no view."""

from __future__ import annotations

import pytest

from tests.store.steps import bury, claim, enqueue, enter_task, register, show

ARGS = '{"token": "HUNTER2", "user": "ann"}'


def shown(session) -> str:
    """Give all that the views say of arguments."""
    texts = [
        row[0]
        for view in ("all_jobs", "dead_jobs")
        for row in session.execute(f"SELECT args::text FROM jobqueue.{view}".encode())
    ]
    assert len(texts) == 3
    return " ".join(texts)


@pytest.fixture
def kept(session):
    """One job that is dead and one that waits."""
    dead, waiting = enqueue(session, args=ARGS), enqueue(session, args=ARGS, delay=60)
    bury(session, *claim(session, register(session)))
    return dead, waiting


def test_nothing_is_shown_of_a_task_that_no_worker_has_entered(session, kept):
    assert "HUNTER2" not in shown(session)
    for job_id in kept:
        assert show(session, job_id).args == {"token": "[redacted]", "user": "[redacted]"}
    enter_task(session, "work", "token")
    assert show(session, kept[0]).args == {"token": "[redacted]", "user": "ann"}


@pytest.mark.parametrize("now", [["api_token"], [], ["token", "api_token"]])
def test_a_parameter_that_was_secret_once_stays_so(session, kept, now):
    enter_task(session, "work", "token")
    enter_task(session, "work", *now)
    assert "HUNTER2" not in shown(session)
    names = session.execute("SELECT secrets FROM jobqueue.tasks").fetchone()
    assert names == (sorted({"token", *now}),)


def test_a_task_that_has_a_new_secret_hides_that_of_its_old_jobs_too(session, kept):
    enter_task(session, "work")
    assert "HUNTER2" in shown(session)
    enter_task(session, "work", "token")
    assert "HUNTER2" not in shown(session)


@pytest.mark.parametrize("args", ['["HUNTER2"]', '"HUNTER2"'])
def test_what_was_inserted_by_hand_and_is_no_object_breaks_no_view(session, args):
    job_id = enqueue(session)
    session.execute("UPDATE jobqueue.jobs SET args = %s", [args])
    assert show(session, job_id).args == "[redacted]"
