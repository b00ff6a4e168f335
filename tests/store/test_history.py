"""History: a partition a day, made ahead, dropped whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from jobqueue.store import maintenance, migrations
from jobqueue.store.database import to_conninfo
from tests.store.steps import claim, complete, do, enqueue, register, show


@pytest.fixture
def session(empty_database_url):
    """A session on a database of its own: its partitions are played with."""
    migrations.upgrade(empty_database_url)
    with psycopg.connect(to_conninfo(empty_database_url), autocommit=True) as it:
        yield it


def partitions(session) -> list[date]:
    """Give the days there is a partition for."""
    rows = session.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'jobqueue'::regnamespace "
        "AND relname ~ '^job_history_[0-9]{8}$' ORDER BY 1"
    )
    return [datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for (name,) in rows]


def today(session) -> date:
    [(day,)] = session.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchall()
    return day


def ended(session, days_ago: float = 0) -> str:
    """Complete a job so many days ago; gives its id."""
    job_id = enqueue(session)
    worker = register(session)
    complete(session, *claim(session, worker))
    if days_ago:
        session.execute(
            "UPDATE jobqueue.job_history SET finished_at = now() - %s WHERE id = %s",
            [timedelta(days=days_ago), job_id],
        )
    return str(job_id)


def where(session, job_id: str) -> str:
    [(name,)] = session.execute(
        "SELECT tableoid::regclass::text FROM jobqueue.job_history WHERE id = %s", [job_id]
    ).fetchall()
    return name


def named(day: date) -> str:
    return f"jobqueue.job_history_{day:%Y%m%d}"


def test_partitions_are_made_for_today_and_a_week_ahead(session):
    day = today(session)
    assert partitions(session) == [day + timedelta(days=n) for n in range(8)]


def test_a_job_that_ends_today_is_in_todays_partition(session):
    assert where(session, ended(session)) == named(today(session))


def test_making_them_again_makes_nothing(session):
    assert do(session, maintenance.make_partitions()) == [0]


def test_missing_days_are_made(session):
    day = today(session)
    session.execute(f"DROP TABLE {named(day + timedelta(days=7))}".encode())
    assert do(session, maintenance.make_partitions()) == [1]
    assert len(partitions(session)) == 8


def test_without_a_partition_nothing_is_refused_and_the_rows_move_once_it_is_made(session):
    day = today(session)
    session.execute(f"DROP TABLE {named(day)}".encode())
    job_id = ended(session)
    assert where(session, job_id) == "jobqueue.job_history_default"
    before = show(session, job_id)
    assert do(session, maintenance.make_partitions()) == [1]
    assert where(session, job_id) == named(day)
    assert show(session, job_id) == before


def test_history_older_than_its_days_is_dropped_and_the_rest_kept(session):
    day = today(session)
    for ago in (2, 9):
        old = day - timedelta(days=ago)
        session.execute(
            f"CREATE TABLE {named(old)} PARTITION OF jobqueue.job_history "
            f"FOR VALUES FROM ('{old} 00:00+00') TO ('{old + timedelta(days=1)} 00:00+00')".encode()
        )
    fresh, recent, old = ended(session), ended(session, 2), ended(session, 9)
    assert [where(session, one) for one in (fresh, recent, old)] == [
        named(day),
        named(day - timedelta(days=2)),
        named(day - timedelta(days=9)),
    ]
    assert do(session, maintenance.drop_partitions(7)) == [1]
    assert min(partitions(session)) == day - timedelta(days=2)
    left = {str(one) for (one,) in session.execute("SELECT id FROM jobqueue.job_history")}
    assert left == {fresh, recent}


@pytest.mark.parametrize(("days_ago", "kept"), [(6.9, True), (7.1, False)])
def test_rows_that_never_had_a_partition_grow_old_too(session, days_ago, kept):
    job_id = ended(session, days_ago)
    assert where(session, job_id) == "jobqueue.job_history_default"
    do(session, maintenance.drop_partitions(7))
    left = [str(one) for (one,) in session.execute("SELECT id FROM jobqueue.job_history")]
    assert left == [job_id] * kept


def test_a_day_is_dropped_only_when_all_of_it_is_old_enough(session):
    """A partition ends at its midnight: on the day `days` after that it may go, no earlier."""
    day = today(session)
    call = "SELECT jobqueue.drop_history_partitions(%s::timestamptz)"
    [(dropped,)] = session.execute(call, [f"{day} 23:59:59+00"]).fetchall()
    assert dropped == 0
    [(dropped,)] = session.execute(call, [f"{day + timedelta(days=1)} 00:00:00+00"]).fetchall()
    assert dropped == 1
    assert min(partitions(session)) == day + timedelta(days=1)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata"])
def test_days_are_those_of_utc_whatever_the_sessions_time_zone(session, zone):
    for day in partitions(session)[1:]:
        session.execute(f"DROP TABLE {named(day)}".encode())
    session.execute(f"SET TimeZone = '{zone}'; SET DateStyle = 'SQL, DMY'".encode())
    assert do(session, maintenance.make_partitions()) == [7]
    bounds = session.execute(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass",
        [named(today(session) + timedelta(days=1))],
    )
    assert bounds.fetchone() is not None
    session.execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'")
    midnight = today(session) + timedelta(days=1)
    [(bound,)] = session.execute(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass",
        [named(midnight)],
    ).fetchall()
    assert f"FROM ('{midnight} 00:00:00+00')" in bound
    assert partitions(session) == [today(session) + timedelta(days=n) for n in range(8)]


def test_old_history_is_dropped_while_dead_letters_and_live_jobs_stay(session):
    ended(session, 30)
    waiting = enqueue(session)
    do(session, maintenance.drop_partitions(7))
    assert show(session, waiting).state == "available"
