"""What keeps vacuum from its work, and what comes of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from tests.doctor.visit import QUICK, Visit
from tests.waiting import until


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Call everything old that has lived for a moment."""
    Visit.limits = replace(
        QUICK,
        snapshot_seconds=0.2,
        slot_transactions=20,
        unvacuumed_seconds=0.2,
        bloat_bytes=1 << 20,
    )
    yield
    Visit.limits = QUICK


def transactions(visit: Visit, number: int) -> None:
    """Use transaction numbers up."""
    for _ in range(number):
        visit.rows("SELECT pg_current_xact_id()")


def test_a_session_with_an_old_snapshot_is_named_with_its_query(visit: Visit):
    with visit.other() as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 'the report of last year'")
        until(visit.problems, what="it is old enough")
        found = visit.problem("snapshots")
        pid = holder.info.backend_pid
        assert f"session {pid} " in found.what
        assert found.evidence["pid"] == pid
        assert found.evidence["seconds"] >= 0.2
        assert "the report of last year" in found.evidence["query"]
        assert any("idle_in_transaction_session_timeout" in one for one in found.remedies)
        visit.rows(found.remedies[0])
        visit.healed()
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")


def test_a_session_that_is_idle_without_a_snapshot_is_nobodys_business(visit: Visit):
    with visit.other() as idle:
        idle.execute("SELECT 1")
        visit.rows("SELECT pg_sleep(0.4)")
        assert visit.problems("snapshots") == []


def test_a_prepared_transaction_is_named(visit: Visit):
    with visit.other(autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT pg_current_xact_id()")
        connection.execute("PREPARE TRANSACTION 'it''s forgotten'")
    until(visit.problems, what="it is old enough")
    found = visit.problem("prepared")
    assert found.evidence["gid"] == "it's forgotten"
    visit.rows(found.remedies[-1])
    visit.healed()


def test_a_slot_that_nobody_uses_is_named(visit: Visit):
    visit.rows("SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')")
    assert visit.problems() == []
    transactions(visit, 30)
    found = visit.problem("slots")
    assert "'forgotten', used by nobody" in found.what
    assert found.evidence["transactions"] > 20
    visit.obey(found)
    visit.healed()


def test_a_slot_that_keeps_much_of_the_log_is_named(visit: Visit):
    visit.limits = replace(QUICK, slot_bytes=1000)
    visit.rows("SELECT pg_create_physical_replication_slot('standby', true)")
    visit.rows("SELECT pg_logical_emit_message(true, 'x', repeat('x', 100000))")
    found = visit.problem("slots")
    assert found.evidence["bytes"] > 1000
    visit.obey(found)
    visit.healed()


def test_dead_rows_that_nobody_vacuums_are_named(visit: Visit):
    visit.limits = replace(Visit.limits, dead_tuples=1000)
    visit.rows("ALTER TABLE jobqueue.jobs SET (autovacuum_enabled = false)")
    visit.rows("INSERT INTO jobqueue.queues (name) VALUES ('default')")
    visit.rows(
        "SELECT jobqueue.enqueue_many_v1('t', jsonb_agg('{}'::jsonb), delay => '1 day') "
        "FROM generate_series(1, 5000)"
    )
    visit.rows("DELETE FROM jobqueue.jobs")
    visit.rows("SELECT pg_stat_force_next_flush()")
    until(lambda: len(visit.problems()) == 2, what="both are found")
    [(_, off), (name, found)] = visit.problems()
    assert name == "dead_tuples"
    assert found.evidence["table"] == "jobs"
    assert found.evidence["dead"] >= 5000
    visit.obey(found)
    visit.healed("dead_tuples")
    visit.obey(off)
    visit.healed()


def test_a_table_and_an_index_that_are_mostly_empty_are_named(visit: Visit):
    visit.rows("ALTER TABLE jobqueue.jobs SET (autovacuum_enabled = false)")
    visit.rows(
        "SELECT jobqueue.enqueue_many_v1('t', jsonb_agg('{}'::jsonb)) "
        "FROM generate_series(1, 50000)"
    )
    # Jobs that are due later are at the end: nothing can be cut off there.
    visit.rows("SELECT jobqueue.enqueue_v1('last', delay => '1 day')")
    visit.rows("VACUUM ANALYZE jobqueue.jobs")
    assert visit.problems("bloat") == []
    visit.rows("DELETE FROM jobqueue.jobs WHERE task = 't'")
    visit.rows("VACUUM ANALYZE jobqueue.jobs")
    visit.rows("SELECT pg_stat_force_next_flush()")
    found = {problem.evidence["name"]: problem for _, problem in visit.problems("bloat")}
    assert {"jobs", "jobs_claim", "jobs_pkey"} <= found.keys()
    assert found["jobs"].evidence["rows"] < 100  # an estimate
    assert "REINDEX INDEX CONCURRENTLY jobqueue.jobs_claim;" in found["jobs_claim"].remedies
    for problem in found.values():
        visit.obey(problem)
    visit.healed("bloat")


def test_autovacuum_that_is_off_for_a_table_is_named(visit: Visit):
    visit.rows("ALTER TABLE jobqueue.dead_letters SET (autovacuum_enabled = off)")
    found = visit.problem("autovacuum")
    assert "dead_letters" in found.what
    visit.obey(found)
    visit.healed()


@pytest.mark.parametrize("setting", ["autovacuum", "track_counts"])
def test_autovacuum_that_is_off_for_the_server_is_named(visit: Visit, setting: str):
    visit.rows(f"ALTER SYSTEM SET {setting} = off")
    visit.rows("SELECT pg_reload_conf()")
    try:
        until(visit.problems, what="it is in force")
        found = visit.problem("autovacuum")
        assert f"{setting} is off" in found.what
        visit.obey(found)
        visit.healed()
    finally:
        visit.rows(f"ALTER SYSTEM RESET {setting}")
        visit.rows("SELECT pg_reload_conf()")
