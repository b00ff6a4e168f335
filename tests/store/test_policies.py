"""What is decided for a queue: its history, its attempts, and how many workers it should have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from jobqueue import JobQueue, Retry
from jobqueue.store import jobs as job_statements
from jobqueue.store import maintenance, queues
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance import trim
from tests.conftest import new_database
from tests.store.steps import do, enqueue, enqueue_many, enter_task, register, show


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a database of its own: days of history are added to it, which stay."""
    yield from new_database(server_url, template)


def ended(connection: psycopg.Connection, queue: str, days_ago: int) -> None:
    connection.execute(
        "INSERT INTO jobqueue.job_history (id, run_at, enqueued_at, finished_at, priority, attempt,"
        " max_attempts, state, queue, task, args)"
        " SELECT jobqueue.uuid_v7(), now(), now(), now() - make_interval(days => %s), 5, 1, 5,"
        " 'completed', %s, 'work', '{}'",
        [days_ago, queue],
    )


def left(connection: psycopg.Connection) -> list[tuple[str, int]]:
    return connection.execute(
        "SELECT queue, extract(day FROM now() - finished_at)::int FROM jobqueue.job_history"
        " ORDER BY 1, 2"
    ).fetchall()


def partition(connection: psycopg.Connection, days_ago: int) -> None:
    """Make the partition of a day that is over."""
    connection.execute(
        """
        DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - %s; BEGIN
            EXECUTE format('CREATE TABLE jobqueue.%%I PARTITION OF jobqueue.job_history '
                'FOR VALUES FROM (%%L) TO (%%L)', 'job_history_' || to_char(day, 'YYYYMMDD'),
                day || ' 00:00:00+00', day + 1 || ' 00:00:00+00');
        END $$
        """.replace("%s", str(days_ago))
        .replace("%%", "%")
        .encode()
    )


def prune(connection: psycopg.Connection, url: str, days: int) -> None:
    do(connection, maintenance.drop_partitions(days))
    connection.commit()

    async def trimmed() -> None:
        link, duty = Link(url, "test"), trim.Trim(days)
        try:
            while await duty(link) < trim.PAUSE_SECONDS:
                pass
        finally:
            await link.close()

    asyncio.run(trimmed())


def test_each_queue_keeps_its_history_as_long_as_is_decided_for_it(
    connection: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "PAGES", 2)  # several steps a day
    for days_ago in (3, 9, 20):
        partition(connection, days_ago)
        for queue in ("short", "usual", "long"):
            for _ in range(300):
                ended(connection, queue, days_ago)
    do(connection, queues.set_queue("short", {"history_days": 1}))
    do(connection, queues.set_queue("long", {"history_days": 15}))
    prune(connection, database_url, days=7)
    assert {*left(connection)} == {("long", 3), ("long", 9), ("usual", 3)}
    assert len(left(connection)) == 900
    do(connection, queues.set_queue("long", {"history_days": None}))
    prune(connection, database_url, days=7)
    assert {*left(connection)} == {("long", 3), ("usual", 3)}


def test_without_any_decision_no_history_is_read(connection: psycopg.Connection) -> None:
    partition(connection, 3)
    ended(connection, "usual", 3)
    assert do(connection, maintenance.history_to_trim(7)) == []


def test_attempts_of_a_queue_hold_where_enqueue_and_task_say_nothing(
    connection: psycopg.Connection,
) -> None:
    do(connection, queues.set_queue("mail", {"max_attempts": 9}))
    jobs = JobQueue()

    @jobs.task(queue="mail", retry=Retry(attempts=None))
    def open_() -> None: ...

    @jobs.task(queue="mail")
    def five() -> None: ...

    def attempts(job_id: object) -> int:
        return show(connection, str(job_id)).max_attempts

    assert attempts(open_.enqueue(connection).id) == 9
    assert attempts(open_.using(queue="other").enqueue(connection).id) == 5
    assert attempts(open_.using(attempts=2).enqueue(connection).id) == 2
    assert [attempts(one.id) for one in open_.enqueue_many(connection, [{}])] == [9]
    assert open_.enqueue_bulk(connection, [{}] * 3) == 3
    assert attempts(five.enqueue(connection).id) == 5
    enter_task(connection, "known")
    for call, expected in (
        ("'unknown', queue => 'mail'", 9),
        ("'known', queue => 'mail'", 5),
        ("'unknown', queue => 'mail', max_attempts => 3", 3),
        ("'unknown'", 5),
    ):
        row = connection.execute(
            f"SELECT job_id FROM jobqueue.enqueue_v1({call})".encode()
        ).fetchone()
        assert row is not None
        assert attempts(row[0]) == expected


def wanted(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT queue, backlog, workers, wanted_workers FROM jobqueue.autoscaling ORDER BY 1"
    ).fetchall()


def test_the_view_says_how_many_workers_are_wanted(connection: psycopg.Connection) -> None:
    enqueue_many(connection, 250, queue="mail")
    enqueue_many(connection, 10, queue="mail", delay=60)
    register(connection, mail=5)
    assert wanted(connection) == []
    do(connection, queues.set_queue("mail", {"target_backlog": 100}))
    assert wanted(connection) == [("mail", 250, 1, 3)]
    do(connection, queues.set_queue("mail", {"max_workers": 2}))
    assert wanted(connection) == [("mail", 200, 1, 2)]
    do(connection, queues.set_queue("mail", {"max_workers": 20, "min_workers": 7}))
    assert wanted(connection) == [("mail", 250, 1, 7)]
    connection.execute("SELECT jobqueue.pause_v1(queue => 'mail')")
    assert wanted(connection) == [("mail", 0, 1, 7)]
    do(connection, queues.set_queue("empty", {"target_backlog": 100}))
    assert wanted(connection)[0] == ("empty", 0, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"history_days": 0},
        {"max_attempts": 0},
        {"target_backlog": 0},
        {"min_workers": -1},
        {"max_workers": 0},
        {"min_workers": 3, "max_workers": 2},
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    connection: psycopg.Connection, changes: dict[str, int]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        do(connection, queues.set_queue("mail", changes))


def test_a_decision_changes_nothing_else(connection: psycopg.Connection) -> None:
    do(connection, queues.set_queue("mail", {"history_days": 3, "max_attempts": 9}))
    do(connection, queues.set_queue("mail", {"history_days": 4}))
    do(connection, queues.set_queue("mail", {"max_attempts": None, "min_workers": 2}))
    [record] = do(connection, queues.list_queues())
    assert (record.history_days, record.max_attempts, record.min_workers) == (4, None, 2)
    assert enqueue(connection, queue="mail")
    assert do(connection, job_statements.unknown_tasks(["mail"], ["work"])) == []
