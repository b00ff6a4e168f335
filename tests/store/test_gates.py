"""Gates: what admission lets through, what is given back, and what it costs beside many."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from jobqueue.core.limits import Concurrency, Flow, RateLimit
from jobqueue.store import gates
from jobqueue.store import jobs as statements
from jobqueue.store.claims import Claimed
from tests.store.limited import admit, gated, limit
from tests.store.steps import claim, do, outcomes, register, reschedule, states

MONTH = 30 * 86_400.0


def give_back(connection: psycopg.Connection, *claimed: Claimed) -> None:
    """Say that claimed jobs have not begun."""
    sent = outcomes(*claimed, delay_seconds=0, refund=True, began=False, error=None)
    assert do(connection, statements.ack_rescheduled(sent)) == []


def renewed(connection: psycopg.Connection, *claimed: Claimed) -> dict[str, float]:
    """Ask for other moments of claimed jobs."""
    return dict(do(connection, gates.renew_moments([(job.id, job.lease) for job in claimed])))


def free_at(connection: psycopg.Connection) -> float:
    [(moment,)] = connection.execute("SELECT free_at FROM jobqueue.rates").fetchall()
    return moment


@pytest.mark.parametrize("burst", [1, 3])
def test_what_has_not_begun_gives_its_start_back(session, burst):
    limit(session, RateLimit("monthly", 3, per=MONTH, burst=burst))
    worker = register(session)
    gated(session, 9, Flow(rate="monthly"))
    assert admit(session) == burst
    for _ in range(3):
        taken = claim(session, worker)
        give_back(session, *taken)
        assert states(session) == {"gated": 9}
        assert admit(session) == len(taken) == burst
    assert admit(session) == 0


def test_of_a_burst_what_has_not_begun_gives_its_start_back(session):
    limit(session, RateLimit("monthly", 5, per=MONTH, burst=5))
    worker = register(session)
    gated(session, 9, Flow(rate="monthly"))
    assert admit(session) == 5
    first, second, *others = claim(session, worker)
    give_back(session, *others)
    assert admit(session) == 3
    assert admit(session) == 0
    assert len({first.id, second.id, *(job.id for job in claim(session, worker))}) == 5


@pytest.mark.parametrize("ordered", [False, True])
def test_what_has_not_begun_keeps_its_place_under_its_key(session, ordered: bool):
    limit(session, Concurrency(1, name="key", ordered=ordered))
    worker = register(session)
    gated(session, 2, Flow(concurrency="key"))
    assert admit(session) == 1
    for _ in range(3):
        [job] = claim(session, worker)
        assert job.starts_at == 0  # or else it would be sent to its gate, where it holds up itself
        give_back(session, job)
        assert states(session) == {"available": 1, "gated": 1}
        assert admit(session) == 0


def test_what_has_begun_keeps_its_start(session):
    limit(session, RateLimit("monthly", 1, per=MONTH))
    worker = register(session)
    gated(session, 2, Flow(rate="monthly"))
    assert admit(session) == 1
    reschedule(session, *claim(session, worker), refund=True)  # snoozed for nothing
    assert admit(session) == 0


def test_only_the_latest_start_is_given_back(session):
    """After any other there may have been starts that were reckoned with it."""
    limit(session, RateLimit("api", 20))
    worker = register(session)
    gated(session, 10, Flow(rate="api"))
    assert admit(session) > 1
    before = free_at(session)
    first, *_ = sorted(claim(session, worker), key=lambda job: job.starts_at)
    give_back(session, first)
    session.execute("UPDATE jobqueue.limits SET held_until = now() + interval '1 hour'")
    admit(session)
    assert free_at(session) == before


def test_a_job_that_comes_late_gets_another_moment_of_a_slow_rate_at_once(session):
    limit(session, RateLimit("monthly", 1, per=MONTH))
    worker = register(session)
    gated(session, 2, Flow(rate="monthly"))
    admit(session)
    [job] = claim(session, worker)
    for _ in range(3):
        moments = renewed(session, job)
        assert 0 < moments[job.id] - job.starts_at < 5
    assert admit(session) == 0


def test_a_moment_is_taken_back_once(session):
    """By the renewal that had nothing to give, and not again when the job goes back."""
    limit(session, RateLimit("api", 2))
    worker = register(session)
    gated(session, 4, Flow(rate="api"))
    admit(session)
    [job] = claim(session, worker)
    session.execute("UPDATE jobqueue.limits SET held_until = now() + interval '1 hour'")
    assert renewed(session, job) == {}
    before = free_at(session)
    give_back(session, job)
    admit(session)
    assert free_at(session) == before


def test_a_job_whose_rate_was_removed_meanwhile_may_start_at_any_moment(session):
    limit(session, RateLimit("monthly", 1, per=MONTH))
    worker = register(session)
    gated(session, 1, Flow(rate="monthly"))
    admit(session)
    [job] = claim(session, worker)
    do(session, gates.remove_limit("monthly"))
    assert renewed(session, job) == {job.id: 0}


def test_a_job_of_another_worker_by_now_gets_no_moment(session):
    limit(session, RateLimit("monthly", 1, per=MONTH))
    worker = register(session)
    gated(session, 1, Flow(rate="monthly"))
    admit(session)
    [job] = claim(session, worker)
    assert renewed(session, job._replace(lease=job.lease + 1)) == {}


def read_of(connection: psycopg.Connection) -> int:
    """Rows of jobs that this session has read so far in its transaction, by whatever way."""
    query = (
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE schemaname = 'jobqueue' AND relname = 'jobs'"
    )
    [(number,)] = connection.execute(query).fetchall()
    return number


@pytest.mark.parametrize(
    ("rule", "flow"),
    [
        (Concurrency(1, name="full"), Flow(concurrency="full")),
        (RateLimit("full", 1, per=MONTH), Flow(rate="full")),
    ],
    ids=["concurrency", "rate"],
)
def test_admission_reads_what_goes_and_not_what_waits(session, rule: Any, flow: Flow):
    limit(session, rule)
    gated(session, 20_000, flow, key="full")
    session.execute("ANALYZE jobqueue.jobs")
    assert admit(session) == 1
    gated(session, 1, flow, key="free")
    with session.transaction():
        before = read_of(session)
        assert admit(session) == 1
        assert read_of(session) - before < 50


@pytest.mark.parametrize(
    ("rule", "flow"),
    [
        (Concurrency(1, name="each"), Flow(concurrency="each")),
        (RateLimit("each", 1, per=MONTH), Flow(rate="each")),
    ],
    ids=["concurrency", "rate"],
)
def test_a_key_for_each_job_is_let_through_at_once_and_forgotten(session, rule: Any, flow: Flow):
    limit(session, rule)
    gated(session, 5_000, flow, key="k{n}")
    while do(session, gates.admit())[0].pause == 0:
        pass
    assert states(session) == {"available": 5_000}
    session.execute("UPDATE jobqueue.rates SET free_at = free_at - 2 * %s", [MONTH])
    while do(session, gates.prune_rates(1_000)) != [0]:
        pass
    assert session.execute("SELECT count(*) FROM jobqueue.rates").fetchone() == (0,)
    assert session.execute("SELECT count(*) FROM jobqueue.gate_calls").fetchone() == (0,)


ENQUEUE = """
SELECT outcome FROM jobqueue.enqueue_gated_v1(
    task => 'work', args => %s::text::jsonb, queue => 'default', priority => 5, run_at => NULL,
    delay => NULL, max_attempts => 20, ids => NULL, idempotency_keys => NULL,
    idempotency_retention => '1 day', unique_keys => %s, unique_mode => 'skip',
    unique_window => NULL, timeout => NULL, concurrency => 'key', concurrency_keys => %s,
    rate => NULL, rate_keys => NULL, weight => NULL)
"""


@pytest.mark.parametrize("unique_keys", [None, ["a", "b"]])
def test_jobs_that_sql_enqueues_without_keys_are_under_the_same_and_let_through(
    session, unique_keys: Any
):
    limit(session, Concurrency(1, name="key"))
    session.execute(ENQUEUE, ['[{"n": 1}, {"n": 2}]', unique_keys, None])
    assert admit(session) == 1
    assert states(session) == {"available": 1, "gated": 1}


@pytest.mark.parametrize("keys", [["a"], ["a", "b", "c"], []])
def test_keys_that_are_not_one_for_each_job_are_refused(session, keys: list[str]):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="one for each of 2 jobs"):
        session.execute(ENQUEUE, ['[{"n": 1}, {"n": 2}]', None, keys])


def test_what_is_handed_back_under_a_concurrency_limit_can_be_claimed_again(session):
    limit(session, Concurrency(2, name="imports"))
    worker = register(session)
    gated(session, 3, Flow(concurrency="imports"))
    assert admit(session) == 2
    for _ in range(3):
        taken = claim(session, worker)
        assert [job.starts_at for job in taken] == [0, 0]
        give_back(session, *taken)
        assert states(session) == {"available": 2, "gated": 1}


def test_a_claimed_job_that_is_sent_to_its_gate_holds_nothing(session):
    limit(session, Concurrency(2, name="imports"))
    worker = register(session)
    gated(session, 2, Flow(concurrency="imports"))
    admit(session)
    taken = claim(session, worker)
    sent = json.dumps(
        [
            {"id": job.id, "lease": job.lease, "concurrency": "imports", "concurrency_key": ""}
            for job in taken
        ]
    )
    assert do(session, gates.put_under(sent)) == []
    assert admit(session) == 2
    assert len(claim(session, worker)) == 2
