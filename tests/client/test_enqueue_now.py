"""Enqueuing over a connection of its own, and what is said when there is none to be had."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from jobqueue import ArgumentError, DatabaseUnavailable, DatabaseUrlError, JobQueue
from jobqueue.store.database import to_conninfo
from tests.client.books import jobs


def task_of(queue: JobQueue):
    @queue.task
    def resize(width: int) -> None: ...

    return resize


def now(task, **arguments):
    return task.enqueue_now(**arguments)


def anow(task, **arguments):
    return asyncio.run(task.aenqueue_now(**arguments))


both_ways = pytest.mark.parametrize("enqueue", [now, anow])


@both_ways
def test_a_job_is_enqueued_and_committed_without_a_connection_at_hand(enqueue, database_url):
    enqueued = enqueue(task_of(JobQueue(database_url)), width=7)
    [job] = jobs(database_url)
    assert (job["id"], job["args"], enqueued.outcome) == (enqueued.id, {"width": 7}, "inserted")


@both_ways
def test_options_count_for_it_too(enqueue, database_url):
    enqueue(task_of(JobQueue(database_url)).using(queue="email", delay=60), width=7)
    [job] = jobs(database_url)
    assert (job["queue"], job["state"]) == ("email", "scheduled")


@both_ways
def test_the_url_is_read_from_the_environment_when_it_is_needed(enqueue, database_url, monkeypatch):
    monkeypatch.delenv("JOBQUEUE_DATABASE_URL", raising=False)
    task = task_of(JobQueue())
    monkeypatch.setenv("JOBQUEUE_DATABASE_URL", database_url)
    enqueue(task, width=7)
    assert len(jobs(database_url)) == 1


@both_ways
def test_a_url_written_for_sqlalchemy_is_understood(enqueue, database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    enqueue(task_of(JobQueue(url)), width=7)
    assert len(jobs(database_url)) == 1


@both_ways
def test_a_refused_argument_enqueues_nothing(enqueue, database_url):
    with pytest.raises(ArgumentError):
        enqueue(task_of(JobQueue(database_url)), width="wide")
    assert jobs(database_url) == []


@both_ways
def test_without_a_url_the_error_says_how_to_get_a_database(enqueue, monkeypatch):
    monkeypatch.delenv("JOBQUEUE_DATABASE_URL", raising=False)
    with pytest.raises(DatabaseUrlError) as refused:
        enqueue(task_of(JobQueue()), width=7)
    assert "JOBQUEUE_DATABASE_URL" in str(refused.value)
    assert "jobqueue dev" in str(refused.value)


SECRET = "s3cret"
UNREACHABLE = f"postgresql://user:{SECRET}@127.0.0.1:1/books"


@both_ways
def test_a_server_that_is_down_is_said_to_be_and_the_password_is_not(enqueue):
    with pytest.raises(DatabaseUnavailable) as refused:
        enqueue(task_of(JobQueue(UNREACHABLE)), width=7)
    assert "check that the server runs" in str(refused.value)
    assert "127.0.0.1" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@both_ways
def test_a_database_that_does_not_exist_is_unavailable(enqueue, database_url):
    head, separator, query = database_url.partition("?")
    url = f"{head}_missing{separator}{query}"
    with pytest.raises(DatabaseUnavailable, match="_missing"):
        enqueue(task_of(JobQueue(url)), width=7)


MALFORMED = [
    f"postgresql://user:{SECRET}%zz@host/db",
    f"postgresql://user:%zz{SECRET}@host/db",
    f"postgresql://user:{SECRET}@[::1/db",
    f"postgresql://user:{SECRET}@host/db?sslmode",
    f"postgresql://user:{SECRET}@host/db?unheard_of=1",
    f"postgresql+psycopg://user:{SECRET}@host/db?unheard_of=1",
    f"postgresql://host/db?password={SECRET}%zz",
    f"mysql://user:{SECRET}@host/db",
    f"https://user:{SECRET}@host/db",
    f"user:{SECRET}@host/db",
    f"host=x password={SECRET} bogus",
    f"host=x password='{SECRET}",
    f"host=x password=two {SECRET}",
    f"password {SECRET}",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused_and_the_password_in_it_never_shown(url):
    with pytest.raises(DatabaseUrlError) as refused:
        to_conninfo(url)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert str(refused.value).startswith("database URL")
    assert "postgresql://user:password@host:5432/name" in str(refused.value)


@both_ways
@pytest.mark.parametrize("port", ["https", "99999", "-1"])
def test_a_port_that_is_none_is_an_error_of_ours(enqueue, port):
    url = f"postgresql://user:{SECRET}@127.0.0.1:{port}/db"
    with pytest.raises((DatabaseUrlError, DatabaseUnavailable)) as refused:
        enqueue(task_of(JobQueue(url)), width=7)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pa%40ss@host:5432/name",
        "postgres://user:pa%40ss@host:5432/name",
        "postgresql+psycopg://user:pa%40ss@host:5432/name",
        "postgresql+asyncpg://user:pa%40ss@host:5432/name",
        "host=host port=5432 user=user password=pa@ss dbname=name",
    ],
)
def test_a_url_is_read_in_every_common_form(url):
    found = set(to_conninfo(url).split())
    assert {"host=host", "port=5432", "user=user", "password=pa@ss", "dbname=name"} <= found


def test_what_the_url_says_of_the_connection_is_kept():
    conninfo = to_conninfo("postgresql://host/db?application_name=mine&connect_timeout=3")
    assert {"application_name=mine", "connect_timeout=3"} <= set(conninfo.split())
