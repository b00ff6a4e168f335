"""Paused keys: what becomes of jobs that were let through, and what is given back for them."""

from __future__ import annotations

import psycopg
import pytest

from jobqueue.core.limits import Concurrency, Flow, RateLimit
from jobqueue.store import gates, pauses
from jobqueue.store import jobs as statements
from jobqueue.store.pauses import Pausable
from tests.store.limited import admit, gated, limit
from tests.store.steps import claim, do, outcomes, register, states

MONTH = 30 * 86_400.0
ACME = Pausable(limit_name="imports", key="acme")


def hand_back(connection: psycopg.Connection, *claimed: object) -> None:
    sent = outcomes(*claimed, delay_seconds=0, refund=True, began=False, error=None)
    assert do(connection, statements.ack_rescheduled(sent)) == []


@pytest.mark.parametrize("fair", [False, True])
def test_what_was_let_through_gives_up_its_place(session, fair):
    limit(session, Concurrency(2, name="imports", key="customer", fair=fair))
    worker = register(session)
    gated(session, 4, Flow(concurrency="imports"), key="acme")
    assert admit(session) == 2
    taken = claim(session, worker)
    do(session, pauses.pause(ACME, None))
    assert set(do(session, pauses.of_paused_keys([job.id for job in taken]))) == {
        job.id for job in taken
    }
    hand_back(session, *taken)
    assert states(session) == {"gated": 4}
    assert admit(session) == 0
    do(session, pauses.resume(ACME))
    assert admit(session) == 2
    assert claim(session, worker)[0].id == taken[0].id


def test_a_slow_rate_gets_back_the_start_of_a_job_whose_key_is_paused(session):
    limit(session, Concurrency(2, name="imports", key="customer"))
    limit(session, RateLimit("monthly", 1, per=MONTH))
    worker = register(session)
    gated(session, 2, Flow(concurrency="imports", rate="monthly"), key="acme")
    admit(session)
    admit(session)
    [first] = claim(session, worker)
    do(session, pauses.pause(ACME, None))
    hand_back(session, first)
    do(session, pauses.resume(ACME))
    for _ in range(3):
        admit(session)
    assert [job.id for job in claim(session, worker)] == [first.id]


def test_a_rate_whose_key_is_paused_gives_nothing_and_is_looked_at_seldom(session):
    limit(session, RateLimit("imports", 100, per=1.0, burst=100))
    register(session)
    gated(session, 5, Flow(rate="imports"), key="acme")
    gated(session, 5, Flow(rate="imports"), key="other")
    do(session, pauses.pause(ACME, None))
    assert admit(session) == 5
    [(seconds,)] = session.execute("SELECT pause FROM jobqueue.admit(0.035, 0.15, 100)").fetchall()
    assert seconds is None or seconds > 30
    do(session, pauses.resume(ACME))
    assert admit(session) == 5


def test_a_rate_is_paused_for_a_job_that_asks_for_another_moment(session):
    limit(session, RateLimit("imports", 100, per=1.0, burst=100))
    worker = register(session)
    gated(session, 1, Flow(rate="imports"), key="acme")
    assert admit(session) == 1
    [taken] = claim(session, worker)
    do(session, pauses.pause(ACME, None))
    assert do(session, gates.renew_moments([(taken.id, taken.lease)])) == []


def test_only_the_key_named_is_meant(session):
    limit(session, Concurrency(2, name="imports", key="customer"))
    worker = register(session)
    gated(session, 1, Flow(concurrency="imports"), key="acme")
    admit(session)
    [taken] = claim(session, worker)
    for other in (Pausable(limit_name="imports", key="b"), Pausable(limit_name="b", key="acme")):
        do(session, pauses.pause(other, None))
    assert do(session, pauses.of_paused_keys([taken.id])) == []
    hand_back(session, taken)
    assert states(session) == {"available": 1}


@pytest.mark.parametrize(
    "given",
    [
        "limit_name => 'a'",
        "key => 'a'",
        "limit_name => 'a', key => 'b', queue => 'c'",
        "limit_name => '', key => 'b'",
        "",
    ],
)
def test_what_cannot_be_paused_is_refused(session, given):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        session.execute(f"SELECT jobqueue.pause_v1({given})")
