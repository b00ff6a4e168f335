"""What `.using(...)` says of a job is what its row holds."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool

from jobqueue import ArgumentError, ConfigurationError, JobQueue, JobQueueError, Priority, Retry
from jobqueue.client import bulk
from jobqueue.store import jobs as statements
from jobqueue.store import stats
from jobqueue.store.database import executor
from jobqueue.store.statement import run
from tests.client.books import jobs, rows

queue = JobQueue()


@queue.task
def resize(width: int) -> None: ...


@queue.task(queue="images", priority="low", retry=Retry(attempts=9))
def thumbnail(width: int) -> None: ...


@queue.task
def awkward(connection: str, items: int, args: int, kwargs: int, options: int = 0) -> None: ...


EARLIER = datetime(2020, 1, 31, 12, 30, 15, tzinfo=UTC)
LATER = datetime(2120, 1, 31, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (resize, {"queue": "default", "priority": 5, "max_attempts": 5, "state": "available"}),
        (thumbnail, {"queue": "images", "priority": 10, "max_attempts": 9}),
        (resize.using(queue="email"), {"queue": "email"}),
        (resize.using(priority=Priority.CRITICAL), {"priority": 1}),
        (resize.using(priority="low"), {"priority": 10}),
        (resize.using(priority=-32768), {"priority": -32768}),
        (resize.using(attempts=1), {"max_attempts": 1}),
        (thumbnail.using(attempts=32767), {"max_attempts": 32767, "queue": "images"}),
        (resize.using(timeout=90), {"timeout_seconds": 90.0}),
        (resize.using(timeout="500ms"), {"timeout_seconds": 0.5}),
        (resize.using(timeout=timedelta(minutes=2), delay=60), {"timeout_seconds": 120.0}),
        (resize, {"timeout_seconds": None}),
        (resize.using(delay=0), {"state": "available"}),
        (resize.using(delay=60), {"state": "scheduled"}),
        (resize.using(delay=timedelta(days=400)), {"state": "scheduled"}),
        (resize.using(run_at=LATER), {"state": "scheduled", "run_at": LATER}),
        (
            resize.using(run_at=LATER.astimezone(timezone(timedelta(hours=9)))),
            {"state": "scheduled", "run_at": LATER},
        ),
        (resize.using(run_at=EARLIER), {"state": "available"}),
    ],
    ids=lambda value: "" if isinstance(value, dict) else repr(value.options)[14:],
)
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_each_option_arrives_in_the_row(connection, database_url, task, row, many):
    if many:
        task.enqueue_many(connection, [{"width": 1}])
    else:
        task.enqueue(connection, 1)
    connection.commit()
    [job] = jobs(database_url)
    assert {name: job[name] for name in row} == row


def test_a_delay_counts_from_the_databases_clock(connection, database_url):
    resize.using(delay=timedelta(minutes=5)).enqueue(connection, 1)
    connection.commit()
    [job] = jobs(database_url)
    assert job["run_at"] - job["enqueued_at"] == timedelta(minutes=5)
    [clock] = rows(database_url, "SELECT now() AS now")
    assert clock["now"] - timedelta(minutes=1) < job["enqueued_at"] <= clock["now"]


def test_a_given_id_is_the_jobs_id(connection, database_url):
    job_id = uuid4()
    assert resize.using(job_id=job_id).enqueue(connection, 1).id == job_id
    connection.commit()
    assert [job["id"] for job in jobs(database_url)] == [job_id]


def test_a_job_id_is_not_dropped_silently_when_many_are_enqueued(connection):
    job_id = uuid4()
    try:
        enqueued = resize.using(job_id=job_id).enqueue_many(connection, [{"width": 1}])
    except JobQueueError:
        return  # one id for many jobs is refused: as good as using it
    assert [one.id for one in enqueued] == [job_id]


def test_an_unknown_option_is_refused_before_anything_is_sent():
    with pytest.raises(ConfigurationError, match="'time_limit': unknown"):
        resize.using(time_limit=5)


def test_a_parameter_may_be_called_what_the_client_calls_its_own(connection, database_url):
    given = {"connection": "c", "items": 1, "args": 2, "kwargs": 3, "options": 4}
    awkward.enqueue(connection, **given)
    connection.commit()
    assert [job["args"] for job in jobs(database_url)] == [given]


def test_many_jobs_cross_chunks_in_order(connection, database_url, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK_JOBS", 10)
    enqueued = resize.enqueue_many(connection, ({"width": n} for n in range(35)))
    connection.commit()
    by_id = {job["id"]: job["args"]["width"] for job in jobs(database_url)}
    assert [by_id[one.id] for one in enqueued] == list(range(35))
    assert sorted(by_id) == [one.id for one in enqueued]


def test_large_arguments_are_cut_into_chunks_too(connection, database_url, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK_CHARACTERS", 100)
    assert len(resize.enqueue_many(connection, [{"width": n} for n in range(30)])) == 30


@pytest.mark.parametrize("row", [0, 3, 14])
@pytest.mark.parametrize(
    ("item", "parameter"), [({"width": "wide"}, "width"), ({}, "width"), ({"w": 1}, None)]
)
def test_the_first_item_that_does_not_fit_is_named_by_its_row(
    connection, monkeypatch, row, item, parameter
):
    monkeypatch.setattr(bulk, "CHUNK_JOBS", 10)
    items = [{"width": 1}] * row + [item] + [{"width": "worse"}]
    with pytest.raises(ArgumentError) as refused:
        resize.enqueue_many(connection, items)
    assert refused.value.row == row
    assert f"row {row}: " in str(refused.value)
    assert parameter is None or refused.value.parameter == parameter


@pytest.mark.parametrize("item", [5, None, "width", ["width"]], ids=repr)
def test_an_item_that_is_no_mapping_is_refused_with_its_row(connection, item):
    with pytest.raises(ArgumentError) as refused:
        resize.enqueue_many(connection, [{"width": 1}, item])
    assert refused.value.row == 1


@pytest.mark.parametrize(
    "numbers", [range(100_000), [1] * 500_000, [1e300] * 20_000], ids=["counted", "ones", "huge"]
)
def test_what_the_client_accepts_the_database_accepts_too(connection, numbers):
    @JobQueue().task
    def total(numbers: list[float]) -> None: ...

    # Less than 1 MiB as JSON, which the client lets pass; larger as PostgreSQL stores or writes it.
    with suppress(ArgumentError):
        total.enqueue(connection, numbers=list(numbers))
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("years", [1, 7_900, 9_900])
def test_a_job_of_the_far_future_can_still_be_listed(connection, years):
    try:
        resize.using(delay=timedelta(days=365 * years)).enqueue(connection, 1)
    except ConfigurationError:
        return  # refused where it is written: the other good end
    execute = executor(connection)
    everything = statements.list_jobs(state=None, queue=None, task=None, limit=10)
    assert [job.state for job in run(execute, everything)] == ["scheduled"]
    assert [queue.scheduled for queue in run(execute, stats.queues())] == [1]


def test_an_autocommit_connection_commits_each_enqueue_by_itself(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        resize.enqueue(connection, 1)
        assert len(jobs(database_url)) == 1
        with connection.transaction(force_rollback=True):
            resize.enqueue(connection, 2)
        assert len(jobs(database_url)) == 1


def test_a_sqlalchemy_connection_in_autocommit_mode_does_too(database_url):
    engine = sqlalchemy.create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        resize.enqueue(connection, 1)
        assert len(jobs(database_url)) == 1
        connection.rollback()
    engine.dispose()
    assert len(jobs(database_url)) == 1
