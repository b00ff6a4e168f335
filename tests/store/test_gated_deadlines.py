"""Deadlines of jobs under limits, and limits of jobs whose key was contested."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from jobqueue.core.limits import Concurrency, Flow
from jobqueue.core.options import EnqueueOptions, Keys
from jobqueue.store import gates, maintenance
from tests.store.limited import admit, gated, limit
from tests.store.steps import do, register, states

IMPORTS = Flow(concurrency="imports")


def enqueue(connection: psycopg.Connection, *, keys: Keys = (None, None), **more: Any) -> None:
    options = EnqueueOptions(flow=IMPORTS, **more)
    do(connection, gates.enqueue("work", json.dumps([{}]), options, [keys], [("acme", "")]))


def waits(connection: psycopg.Connection) -> list[tuple[float | None, ...]]:
    """Give how long each job may wait, in whole seconds."""
    return connection.execute(
        "SELECT round(extract(epoch FROM expires_at - run_at))::float8 FROM jobqueue.jobs"
    ).fetchall()


@pytest.mark.parametrize("keys", [(None, None), ("once", None)], ids=["new", "keyed"])
def test_a_job_under_a_limit_has_the_deadline_it_asks_for(session, keys):
    enqueue(session, keys=keys, expires_seconds=60.0)
    assert waits(session) == [(60.0,)]
    assert states(session) == {"gated": 1}


@pytest.mark.parametrize("keys", [(None, None), ("once", None)], ids=["new", "keyed"])
def test_a_job_under_a_limit_has_the_deadline_of_its_task(session, keys):
    session.execute(
        "INSERT INTO jobqueue.tasks (name, queue, priority, max_attempts, expires_seconds)"
        " VALUES ('work', 'default', 5, 5, 30)"
    )
    # As from a client that does not know the task.
    enqueue(session, keys=keys, queue=None, priority=None, max_attempts=None)
    assert waits(session) == [(30.0,)]


def test_one_that_waits_at_its_gate_past_its_deadline_is_cancelled(session):
    limit(session, Concurrency(1, name="imports", key="customer"))
    register(session)
    gated(session, 1, IMPORTS, key="acme")
    assert admit(session) == 1
    enqueue(session, expires_seconds=60.0)
    session.execute("UPDATE jobqueue.jobs SET expires_at = now() WHERE expires_at IS NOT NULL")
    [(gone, _)] = do(session, maintenance.expire(10))
    assert gone == 1
    assert states(session) == {"available": 1, "cancelled": 1}


def test_one_whose_key_was_contested_is_under_its_limit_when_that_is_settled(session):
    limit(session, Concurrency(1, name="imports", key="customer"))
    with session.transaction():
        session.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
        enqueue(session, keys=(None, "only"), expires_seconds=60.0)
    assert states(session) == {"blocked": 1}
    assert do(session, maintenance.settle(10)) == [1]
    assert session.execute(
        "SELECT state, concurrency, concurrency_key FROM jobqueue.jobs"
    ).fetchall() == [("gated", "imports", "acme")]
    assert waits(session) == [(60.0,)]
