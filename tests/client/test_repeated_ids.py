"""An id is enqueued once, however often and whenever the enqueue is repeated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest

from jobqueue import Enqueued, JobQueue
from jobqueue.store import claims, workers
from jobqueue.store import jobs as statements
from jobqueue.store.database import executor, to_conninfo
from jobqueue.store.statement import run
from tests import waiting
from tests.client.books import jobs, rows

queue = JobQueue()


@queue.task
def pay(invoice: int) -> None: ...


def enqueue(url: str, job_id: UUID, invoice: int = 1) -> Enqueued:
    """Enqueue with this id in a transaction of its own."""
    with psycopg.connect(to_conninfo(url)) as connection:
        return pay.using(job_id=job_id).enqueue(connection, invoice)


def end(url: str, job_id: UUID, state: str) -> None:
    """Bring the job to `state` as a worker or an operator does."""
    with ending(url, job_id, state):
        pass


@contextmanager
def ending(url: str, job_id: UUID, state: str) -> Iterator[None]:
    """Bring the job to `state` in a transaction that commits when the body is done."""
    with psycopg.connect(to_conninfo(url)) as connection:
        execute = executor(connection)
        if state in {"running", "completed", "dead"}:
            [worker] = run(
                execute,
                workers.register(
                    name="w", hostname="h", pid=1, queues={"default": 1}, lease_seconds=60
                ),
            )
            [job] = claims.look(run(execute, claims.claim(worker, {"default": 1}, ["pay"]))).jobs
            connection.commit()
        if state == "completed":
            run(execute, statements.ack_completed(f"{{{job.id}}}", f"{{{job.lease}}}", "{1.5}"))
        if state == "dead":
            outcomes = f'[{{"id": "{job.id}", "lease": {job.lease}, "error": {{}}}}]'
            run(execute, statements.ack_dead(outcomes))
        if state == "cancelled":
            run(execute, statements.cancel(job_id))
        yield


@pytest.mark.parametrize("state", ["available", "running", "completed", "dead", "cancelled"])
def test_a_repeated_id_meets_the_job_whatever_became_of_it(database_url, state):
    job_id = uuid4()
    assert enqueue(database_url, job_id).outcome == "inserted"
    end(database_url, job_id, state)
    assert enqueue(database_url, job_id, invoice=2) == Enqueued(job_id, "met")
    [job] = jobs(database_url)
    assert (job["id"], job["state"], job["args"]) == (job_id, state, {"invoice": 1})


def test_an_id_whose_first_enqueue_was_rolled_back_is_free(database_url):
    job_id = uuid4()
    with psycopg.connect(to_conninfo(database_url)) as connection:
        pay.using(job_id=job_id).enqueue(connection, 1)
        connection.rollback()
    assert enqueue(database_url, job_id, invoice=2).outcome == "inserted"


def test_an_id_repeated_within_one_transaction_is_met(connection, database_url):
    task = pay.using(job_id=uuid4())
    assert [task.enqueue(connection, n).outcome for n in range(3)] == ["inserted", "met", "met"]
    connection.commit()
    assert len(jobs(database_url)) == 1


def test_many_clients_repeating_one_id_at_once_make_one_job(database_url):
    job_id = uuid4()
    with ThreadPoolExecutor(8) as clients:
        outcomes = list(clients.map(lambda _: enqueue(database_url, job_id).outcome, range(8)))
    assert sorted(outcomes) == ["inserted"] + ["met"] * 7
    assert len(jobs(database_url)) == 1


def waits_for_a_lock(url: str) -> bool:
    query = (
        "SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return len(rows(url, f"SELECT 1 AS found WHERE EXISTS ({query})")) > 0


@pytest.mark.parametrize("state", ["completed", "dead", "cancelled"])
def test_an_id_is_met_also_while_the_end_of_its_job_is_being_recorded(database_url, state):
    job_id = uuid4()
    enqueue(database_url, job_id)
    with ThreadPoolExecutor(1) as client:
        with ending(database_url, job_id, state):
            repeated = client.submit(enqueue, database_url, job_id)
            waiting.until(
                lambda: waits_for_a_lock(database_url) or repeated.done(),
                what="the enqueue waits for the ack",
            )
        outcome = repeated.result(20).outcome
    assert [job["state"] for job in jobs(database_url)] == [state]
    assert outcome == "met"


def test_an_id_is_met_also_by_a_transaction_whose_snapshot_is_older_than_the_jobs_end(database_url):
    job_id = uuid4()
    enqueue(database_url, job_id)
    with psycopg.connect(to_conninfo(database_url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM jobqueue.all_jobs")
        end(database_url, job_id, "completed")
        try:
            pay.using(job_id=job_id).enqueue(connection, 1)
            connection.commit()
        except psycopg.errors.SerializationFailure:
            connection.rollback()  # told to try again: as good as met
    assert [job["state"] for job in jobs(database_url)] == ["completed"]
