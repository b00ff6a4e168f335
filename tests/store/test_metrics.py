"""The sample of the queues: exact while tables are small, bounded when they are not."""

from __future__ import annotations

import psycopg
import pytest

from jobqueue.observe.metrics.tallies import BOUNDS
from jobqueue.store import metrics
from jobqueue.store.metrics import QueueCounts, QueueMetrics
from tests.store.steps import do, enqueue, enqueue_many


def sampled(session: psycopg.Connection, **limits: int) -> dict[str, QueueMetrics]:
    do(session, metrics.sample_queues(**limits))
    do(session, metrics.sample_fleet(1.0))
    return {one.queue: one for one in do(session, metrics.queues())}


def counts(queue: str = "email", **counted: object) -> QueueCounts:
    values: dict[str, object] = {
        "completed": 0, "failed": 0, "dead": 0, "first_attempts": 0, "first_failures": 0,
        "run_seconds": 0.0, "latencies": [0] * (len(BOUNDS) + 1),
    } | counted  # fmt: skip
    return QueueCounts(queue=queue, **values)  # type: ignore[arg-type]


def bury(session: psycopg.Connection, queue: str, number: int) -> None:
    session.execute(
        "INSERT INTO jobqueue.dead_letters SELECT jobqueue.uuid_v7(), now(), now(), now(), now(),"
        " 1, 5, 5, 5, %s, 'work', '{}', '[]' FROM generate_series(1, %s)",
        [queue, number],
    )


def test_a_small_table_is_counted_exactly(session: psycopg.Connection) -> None:
    enqueue_many(session, 7, queue="email")
    enqueue(session, queue="email", priority=1)
    enqueue(session, queue="reports", delay=60)
    session.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '90 s' WHERE priority = 1")
    session.execute("UPDATE jobqueue.jobs SET state = 'running' WHERE args @> '{\"n\": 3}'")
    bury(session, "email", 2)
    bury(session, "forgotten", 1)
    found = sampled(session)
    assert set(found) == {"email", "reports", "forgotten"}
    email = found["email"]
    assert (email.available, email.scheduled, email.running, email.dead) == (7, 0, 1, 2)
    assert email.oldest_seconds == pytest.approx(90, abs=5)
    assert (found["reports"].scheduled, found["reports"].oldest_seconds) == (1, None)
    assert found["forgotten"].dead == 1
    assert not any(one.estimated for one in found.values())


def test_a_queue_of_which_nothing_is_left_leaves_the_sample(session: psycopg.Connection) -> None:
    enqueue(session, queue="email")
    assert set(sampled(session)) == {"email"}
    session.execute("DELETE FROM jobqueue.jobs")
    assert sampled(session) == {}


def test_a_queue_that_is_known_is_there_with_zeros(session: psycopg.Connection) -> None:
    session.execute("INSERT INTO jobqueue.queues (name) VALUES ('email')")
    assert sampled(session)["email"].available == 0


def test_of_a_large_table_a_part_is_looked_at(session: psycopg.Connection) -> None:
    for n in range(6):
        enqueue_many(session, 5_000, queue=f"large_{n % 2}")
    enqueue_many(session, 40, queue="small")
    [(pages,)] = session.execute("SELECT pg_relation_size('jobqueue.jobs') / 8192").fetchall()
    found = sampled(session, pages=100, sampled_pages=pages // 2, jobs=3_000)
    assert found["small"].available == 40, "a queue with few jobs is counted"
    for n in range(2):
        # Half of the pages: an error of a third would be far out.
        assert found[f"large_{n}"].available == pytest.approx(15_000, rel=0.35)
        assert found[f"large_{n}"].estimated


def test_the_cost_does_not_grow_with_the_queues(session: psycopg.Connection) -> None:
    enqueue_many(session, 20_000, queue="large")
    session.execute("VACUUM ANALYZE jobqueue.jobs")
    statement = metrics.sample_queues(100, sampled_pages=50, jobs=1_000)
    [(plan,)] = session.execute(
        b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement.text.encode(), statement.params
    ).fetchall()
    rows: list[float] = []

    def walk(node: dict) -> None:
        if node.get("Relation Name") == "jobs":
            rows.append(node["Actual Rows"] * node["Actual Loops"])
        for child in node.get("Plans", ()):
            walk(child)

    walk(plan[0]["Plan"])
    assert rows
    assert sum(rows) < 6_000


def test_what_workers_count_is_added_up(session: psycopg.Connection) -> None:
    enqueue(session, queue="email")
    latencies = [0] * (len(BOUNDS) + 1)
    latencies[5] = 100  # from 0.1 to 0.25 s
    more = [0] * (len(BOUNDS) + 1)
    more[-1] = 100
    one = counts(completed=100, first_attempts=100, first_failures=4, latencies=latencies)
    do(session, metrics.count([one, counts("other", failed=3, dead=1)]))
    do(session, metrics.count([counts(completed=200, first_attempts=100, latencies=more)]))
    email = sampled(session)["email"]
    assert email.completed_per_second == pytest.approx(1.0)
    assert email.first_failure_share == pytest.approx(0.02)
    assert email.latency_p50_seconds == pytest.approx(0.25)
    assert email.latency_p99_seconds == BOUNDS[-1]
    [(failed,)] = session.execute(
        "SELECT failed FROM jobqueue.queue_counts WHERE queue = 'other'"
    ).fetchall()
    assert failed == 3


def test_a_quantile_lies_within_its_bucket(session: psycopg.Connection) -> None:
    for number, bound in enumerate(BOUNDS):
        jobs = [0] * (len(BOUNDS) + 1)
        jobs[number] = 10
        lower = BOUNDS[number - 1] if number else 0.0
        for share, expected in ((0.5, (lower + bound) / 2), (1.0, bound)):
            [(found,)] = session.execute(
                "SELECT jobqueue.latency_quantile(%s::bigint[], %s)", [jobs, share]
            ).fetchall()
            assert found == pytest.approx(expected)
    [(nothing,)] = session.execute("SELECT jobqueue.latency_quantile('{0,0}', 0.5)").fetchall()
    assert nothing is None


def test_old_counts_are_forgotten(session: psycopg.Connection) -> None:
    do(session, metrics.count([counts(completed=1)]))
    session.execute("UPDATE jobqueue.queue_counts SET minute = minute - interval '25 hours'")
    do(session, metrics.count([counts(completed=1)]))
    assert do(session, metrics.forget_counts()) == [1]
    assert session.execute("SELECT count(*) FROM jobqueue.queue_counts").fetchone() == (1,)


def test_the_fleet_is_one_row_before_and_after_the_first_sample(
    session: psycopg.Connection, other: psycopg.Connection
) -> None:
    [before] = do(session, metrics.fleet())
    assert (before.workers, before.age_seconds, before.jobs_inserted) == (0, None, None)
    session.execute(
        "INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency, expires_at,"
        " lost_slots) VALUES ('vm:1', 'vm', 1, '{email}', 7, now() + interval '1 hour', 2)"
    )
    other.autocommit = False
    other.execute("SELECT count(*) FROM jobqueue.queues")
    sampled(session)
    [after] = do(session, metrics.fleet())
    assert (after.workers, after.slots, after.lost_slots) == (1, 7, 2)
    assert after.age_seconds is not None
    assert after.age_seconds < 10
    other.rollback()
