"""Exactly one job a tick, whoever decides, how often, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from jobqueue.core.schedules import tick_id
from jobqueue.core.schedules.plan import plan
from jobqueue.store import maintenance, schedules, ticks
from jobqueue.store.database import session_settings, to_conninfo
from jobqueue.store.ticks import Found
from tests.store.steps import claim, complete, do, register, states


@pytest.fixture
def leader(session: psycopg.Connection) -> psycopg.Connection:
    """The session of the leader."""
    assert do(session, maintenance.lock_leader()) == [True]
    return session


@pytest.fixture
def other(database_url: str) -> Iterator[psycopg.Connection]:
    """A session that does not lead."""
    with psycopg.connect(to_conninfo(database_url), autocommit=True) as connection:
        do(connection, session_settings("5s"))
        yield connection


def add(connection: psycopg.Connection, name: str = "s", **columns: Any) -> int:
    """Make a schedule whose tick is due, each minute if nothing else is said."""
    if not {"cron", "at"} & columns.keys():
        columns.setdefault("every_seconds", 60)
    columns = {"name": name, "task": "work", **columns}
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    row = connection.execute(
        f"INSERT INTO jobqueue.schedules ({names}) VALUES ({marks}) RETURNING id".encode(),
        list(columns.values()),
    ).fetchone()
    assert row is not None
    connection.execute(
        "UPDATE jobqueue.schedules SET next_at = to_timestamp(floor(extract(epoch FROM now()) / 60)"
        " * 60) WHERE id = %s",
        [row[0]],
    )
    return row[0]


def planned(connection: psycopg.Connection) -> dict[Any, Any]:
    """Plan what is due, as the leader does between its two statements."""
    return {due: plan(due, now) for due, now in do(connection, ticks.due(100))}


def tick(connection: psycopg.Connection) -> int:
    """Do what the leader does: find, plan, carry out. Gives how many were advanced."""
    plans = planned(connection)
    return do(connection, ticks.advance(plans))[0] if plans else 0


def count(connection: psycopg.Connection, table: str = "jobs") -> int:
    row = connection.execute(f"SELECT count(*) FROM jobqueue.{table}".encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_due_tick_is_one_row_and_one_job(leader):
    add(leader, args='{"n": 1}', queue="reports", priority=2, max_attempts=3)
    assert tick(leader) == 1
    assert tick(leader) == 0
    rows = leader.execute(
        "SELECT job.queue, job.priority, job.max_attempts, job.args, job.state, tick.state, "
        "tick.tick_at, job.id FROM jobqueue.schedule_ticks AS tick "
        "JOIN jobqueue.jobs AS job ON job.id = tick.job_id"
    ).fetchall()
    [(*job, tick_at, job_id)] = rows
    assert job == ["reports", 2, 3, {"n": 1}, "available", "enqueued"]
    assert tick_id.scheduled_for(job_id) == tick_at
    assert not tick_id.is_catch_up(job_id)


def test_what_is_left_open_is_the_tasks_own(leader):
    leader.execute("INSERT INTO jobqueue.tasks VALUES ('work', 'slow', 7, 9)")
    add(leader)
    tick(leader)
    query = "SELECT queue, priority, max_attempts FROM jobqueue.jobs"
    assert leader.execute(query).fetchall() == [("slow", 7, 9)]


def test_who_does_not_hold_the_lock_finds_nothing_and_changes_nothing(leader, other):
    add(leader)
    assert do(other, ticks.due(100)) == []
    plans = planned(leader)
    assert do(other, ticks.advance(plans)) == [0]
    assert (count(leader), count(leader, "schedule_ticks")) == (0, 0)


def test_a_plan_that_is_carried_out_twice_makes_one_job(leader):
    add(leader)
    plans = planned(leader)
    assert [do(leader, ticks.advance(plans)) for _ in range(3)] == [[1], [0], [0]]
    assert count(leader) == 1


def test_a_leader_that_slept_between_planning_and_doing_changes_nothing(leader, other):
    """As one that was stopped and goes on: another has led meanwhile."""
    add(leader)
    plans = planned(leader)
    leader.execute("SELECT pg_advisory_unlock_all()")
    assert do(other, maintenance.lock_leader()) == [True]
    assert tick(other) == 1
    assert do(leader, ticks.advance(plans)) == [0]
    assert count(leader) == 1


def test_two_that_both_believe_they_lead_make_one_job(leader, other):
    """Though no lock kept them apart: the functions are called past the check."""
    add(leader)
    text = ticks.advance(planned(leader)).params["plans"]
    call = "SELECT jobqueue.advance_schedules(%s::jsonb)"
    barrier = threading.Barrier(2)

    def decide(connection: psycopg.Connection) -> None:
        barrier.wait()
        connection.execute(call, [text])

    threads = [threading.Thread(target=decide, args=[one]) for one in (leader, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(leader), count(leader, "schedule_ticks")) == (1, 1)


def test_a_tick_that_has_had_a_job_never_has_another(leader):
    """Whatever next_at says: a clock set back, a hand in the table, a restored row."""
    schedule_id = add(leader)
    tick(leader)
    leader.execute("UPDATE jobqueue.schedules SET next_at = next_at - interval '1 minute'")
    assert tick(leader) == 1
    assert (count(leader), count(leader, "schedule_ticks")) == (1, 1)
    leader.execute("DELETE FROM jobqueue.jobs")
    [(tick_at,)] = leader.execute("SELECT tick_at FROM jobqueue.schedule_ticks").fetchall()
    assert do(leader, schedules.backfill(schedule_id, [tick_at])) == [0]
    assert count(leader) == 0


def test_a_clock_that_was_set_back_waits_for_the_next_tick(leader):
    add(leader)
    tick(leader)
    [found] = leader.execute("SELECT next_at FROM jobqueue.schedules").fetchall()
    # What the leader sees when the clock says an hour less: a tick that is an hour off.
    leader.execute("UPDATE jobqueue.schedules SET next_at = next_at + interval '1 hour'")
    assert do(leader, ticks.due(100)) == []
    [seconds] = do(leader, ticks.next_seconds())
    assert seconds is not None
    assert 3540 < seconds <= 3660
    assert found[0] is not None


def test_a_rule_that_changed_between_planning_and_doing_is_planned_anew(leader, other):
    add(leader)
    plans = planned(leader)
    other.execute("UPDATE jobqueue.schedules SET every_seconds = 86400")
    assert do(leader, ticks.advance(plans)) == [0]
    assert count(leader) == 0
    assert tick(leader) == 1
    query = "SELECT next_at - date_trunc('day', now(), 'UTC') FROM jobqueue.schedules"
    assert leader.execute(query).fetchall() == [(timedelta(days=1),)]
    assert count(leader) == 0


def test_a_tick_that_both_rules_have_is_not_lost_when_one_takes_the_others_place(leader, other):
    add(leader)
    plans = planned(leader)
    other.execute("UPDATE jobqueue.schedules SET every_seconds = 30")
    assert do(leader, ticks.advance(plans)) == [0]
    assert tick(leader) == 1
    assert count(leader) in {1, 2}
    [(first,)] = leader.execute("SELECT min(tick_at) FROM jobqueue.schedule_ticks").fetchall()
    [(due, _)] = [(due, planned) for due, planned in plans.items()]
    assert first == due.next_at


def test_two_that_change_one_schedule_do_not_undo_each_others_change(session):
    add(session)
    [kept] = do(session, schedules.definition("s"))
    for change in ({"task": "other"}, {"missed": "all"}, {"priority": 3}):
        [now] = do(session, schedules.definition("s"))
        assert do(session, schedules.update(replace(now.definition, **change), now.definition))
    assert (
        do(session, schedules.update(replace(kept.definition, args='{"n": 1}'), kept.definition))
        == []
    )
    query = "SELECT task, missed, priority, args FROM jobqueue.schedules"
    assert session.execute(query).fetchall() == [("other", "all", 3, {})]


def test_what_is_shown_as_the_last_is_the_last_tick_not_a_run_by_hand(leader):
    add(leader)
    tick(leader)
    do(leader, schedules.run_now("s"))
    [one] = do(leader, schedules.list_schedules())
    [by_hand, at_its_time] = do(leader, schedules.ticks("s", limit=2))
    assert by_hand.by_hand
    assert (one.last_tick_at, one.last_job_id) == (at_its_time.tick_at, at_its_time.job_id)


def test_a_rule_that_is_being_changed_holds_up_no_other(leader, other):
    add(leader, "held")
    add(leader, "free")
    with other.transaction():
        other.execute("UPDATE jobqueue.schedules SET args = '{\"n\": 1}' WHERE name = 'held'")
        assert tick(leader) == 1
        assert count(leader) == 1
    assert tick(leader) == 1
    assert count(leader) == 2


def test_arguments_changed_before_the_tick_is_carried_out_are_the_jobs(leader, other):
    add(leader)
    plans = planned(leader)
    other.execute("UPDATE jobqueue.schedules SET args = '{\"n\": 2}'")
    do(leader, ticks.advance(plans))
    assert leader.execute("SELECT args FROM jobqueue.jobs").fetchall() == [({"n": 2},)]


def test_paused_dropped_and_removed_between_planning_and_doing(leader, other):
    for name, change in (
        ("a", "UPDATE jobqueue.schedules SET state = 'paused' WHERE name = 'a'"),
        ("b", "UPDATE jobqueue.schedules SET state = 'dropped' WHERE name = 'b'"),
        ("c", "DELETE FROM jobqueue.schedules WHERE name = 'c'"),
    ):
        add(leader, name)
        plans = planned(leader)
        other.execute(change.encode())
        assert do(leader, ticks.advance(plans)) == [0]
    assert count(leader) == 0


def test_what_fails_leaves_neither_tick_nor_job_nor_step_forward(leader):
    add(leader)
    plans = planned(leader)
    [(due, planned_one)] = plans.items()
    bad = planned_one._replace(ticks=[planned_one.ticks[0]._replace(state="nonsense")])
    with pytest.raises(psycopg.errors.CheckViolation):
        do(leader, ticks.advance({due: bad}))
    assert (count(leader), count(leader, "schedule_ticks")) == (0, 0)
    assert tick(leader) == 1


def test_a_rule_that_cannot_be_used_breaks_the_schedule_until_a_leader_tries_again(leader):
    add(leader)
    [found] = do(leader, ticks.due(100))
    do(leader, ticks.advance({found.due: "time zone 'X': unknown"}))
    query = "SELECT state, problem FROM jobqueue.schedules"
    assert leader.execute(query).fetchall() == [("broken", "time zone 'X': unknown")]
    assert do(leader, ticks.due(100)) == []
    do(leader, ticks.mend())
    assert leader.execute(query).fetchall() == [("active", None)]


def test_the_moments_of_a_session_in_any_zone_are_read_in_utc(leader):
    add(leader)
    leader.execute("SET timezone = 'America/St_Johns'")
    [(due, now)] = do(leader, ticks.due(100))
    assert due.next_at is not None
    assert {one.utcoffset() for one in (due.next_at, due.rule.anchor, now)} == {timedelta(0)}


def test_run_now_is_a_job_and_a_tick_by_hand(leader):
    add(leader)
    [first] = do(leader, schedules.run_now("s"))
    [second] = do(leader, schedules.run_now("s"))
    assert first != second
    assert do(leader, schedules.run_now("nobody")) == []
    records = do(leader, schedules.ticks("s", limit=10))
    assert [(one.job_id, one.by_hand) for one in records] == [(second, True), (first, True)]
    assert tick_id.scheduled_for(first) == records[1].tick_at
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is none of this name"):
        leader.execute("SELECT jobqueue.run_schedule_v1('nobody')")


def test_a_backfill_enqueues_what_was_missed_or_skipped_and_never_twice(leader):
    schedule_id = add(leader)
    moments = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(5)]
    leader.execute(
        "INSERT INTO jobqueue.schedule_ticks (schedule_id, tick_at, state) "
        "VALUES (%s, %s, 'missed'), (%s, %s, 'skipped')",
        [schedule_id, moments[0], schedule_id, moments[1]],
    )
    assert do(leader, schedules.backfill(schedule_id, moments)) == [5]
    assert do(leader, schedules.backfill(schedule_id, moments)) == [0]
    ids = [row[0] for row in leader.execute("SELECT id FROM jobqueue.jobs").fetchall()]
    assert sorted(tick_id.scheduled_for(one) for one in ids) == moments
    assert all(tick_id.is_catch_up(one) for one in ids)


def test_how_a_job_ended_is_noted_and_a_locked_schedule_holds_up_nobody(leader, other):
    add(leader, "held")
    add(leader, "free")
    assert tick(leader) == 2
    worker = register(leader)
    assert complete(leader, *claim(leader, worker)) == []
    with other.transaction():
        other.execute("SELECT FROM jobqueue.schedules WHERE name = 'held' FOR UPDATE")
        do(leader, ticks.conclude(ticks.FIRST, 100))
        query = "SELECT state, count(*) FROM jobqueue.schedule_ticks GROUP BY 1"
        assert dict(leader.execute(query).fetchall()) == {"completed": 1, "enqueued": 1}
    do(leader, ticks.conclude(ticks.FIRST, 100))
    assert dict(leader.execute(query).fetchall()) == {"completed": 2}


def test_a_waiting_tick_of_a_schedule_that_was_removed_is_skipped(leader):
    add(leader, overlap="queue")
    tick(leader)
    [(due, found)] = [
        (due, plan(replace(due, open=True), now))
        for due, now in [
            (one.due, one.now + timedelta(minutes=1)) for one in _due_in_a_minute(leader)
        ]
    ]
    do(leader, ticks.advance({due: found}))
    assert do(leader, ticks.release()) == [1]
    do(leader, schedules.remove("s"))
    assert do(leader, ticks.release()) == [0]
    query = "SELECT state FROM jobqueue.schedule_ticks ORDER BY tick_at"
    assert leader.execute(query).fetchall() == [("enqueued",), ("skipped",)]
    assert states(leader) == {"available": 1}


def _due_in_a_minute(connection: psycopg.Connection) -> list[Found]:
    connection.execute("UPDATE jobqueue.schedules SET next_at = next_at - interval '1 minute'")
    found = do(connection, ticks.due(100))
    connection.execute("UPDATE jobqueue.schedules SET next_at = next_at + interval '1 minute'")
    return [
        Found(replace(one.due, next_at=one.due.next_at + timedelta(minutes=1)), one.now)
        for one in found
        if one.due.next_at is not None
    ]


def test_old_ticks_are_forgotten_and_open_ones_kept(leader):
    add(leader)
    tick(leader)
    leader.execute(
        "INSERT INTO jobqueue.schedule_ticks (schedule_id, tick_at, state, decided_at) "
        "SELECT 1, now() - make_interval(days => n), "
        "CASE n WHEN 9 THEN 'enqueued' ELSE 'missed' END, now() - make_interval(days => n) "
        "FROM generate_series(1, 9) AS n"
    )
    assert do(leader, ticks.prune(7, 1)) == [1]
    assert do(leader, ticks.prune(7, 100)) == [1]
    assert do(leader, ticks.prune(7, 100)) == [0]
    assert count(leader, "schedule_ticks") == 8


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "needs_one_of_cron_every_seconds_at"),
        ({"cron": "@daily", "every_seconds": 5}, "needs_one_of_cron_every_seconds_at"),
        (
            {"cron": "@daily", "starts_at": "2030-01-02", "ends_at": "2030-01-01"},
            "ends_at_is_not_before_starts_at",
        ),
        ({"at": "infinity"}, "moments_are_within_the_years_1970_to_9999"),
        ({"cron": "@daily", "missed": "never"}, "missed"),
        ({"cron": "@daily", "args": "[]"}, "args"),
        ({"every_seconds": 0}, "every_seconds"),
        ({"cron": "@daily", "name": ""}, "name"),
    ],
)
def test_the_table_refuses_what_makes_no_sense(session, columns, said):
    columns = {"name": "s", "task": "work", **columns}
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with pytest.raises(psycopg.errors.CheckViolation, match=said):
        session.execute(
            f"INSERT INTO jobqueue.schedules ({names}) VALUES ({marks})".encode(),
            list(columns.values()),
        )
