"""Databases that have seen better days: what lies about beside the jobs that are measured."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg

# Beside `default`, which is flooded.
QUIET_QUEUES = 49
DEAD_LETTERS_PER_JOB = 0.1

# One in ten is more urgent than what is drained, and must not be in its way.
FUTURE_JOBS = b"""
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
    SELECT jobqueue.uuid_v7(), now() + interval '1 day' + number * interval '0.1 s', now(),
           CASE number %% 10 WHEN 0 THEN 1 ELSE 5 END, 5, 'scheduled',
           CASE line WHEN 0 THEN 'default' ELSE 'quiet_' || line END,
           'note_run', jsonb_build_object('number', number)
    FROM generate_series(1, %(jobs)s::integer) AS number, mod(number, %(queues)s) AS line
"""
HISTORY = b"""
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
        max_attempts, state, queue, task, args)
    SELECT jobqueue.uuid_v7(), now(), now(), now(), now(), 1, 1.5, 5, 1,
           5, 'completed', 'default', 'note_run', jsonb_build_object('number', number)
    FROM generate_series(1, %(jobs)s::integer) AS number
"""
DEAD_LETTERS = b"""
    INSERT INTO jobqueue.dead_letters (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, queue, task, args, errors)
    SELECT jobqueue.uuid_v7(), now(), now(), now(), now(), 1, 5, 5,
           5, 'default', 'note_run', jsonb_build_object('number', number),
           '[{"error": "ValueError", "message": "no such number"}]'
    FROM generate_series(1, %(dead)s::integer) AS number
"""
# What autovacuum would have done by then; to the table of jobs it never comes.
WITHOUT_AUTOVACUUM = b"ALTER TABLE jobqueue.jobs SET (autovacuum_enabled = false)"
SETTLED = (b"VACUUM ANALYZE jobqueue.job_history", b"VACUUM ANALYZE jobqueue.dead_letters")


def fill(url: str, jobs: int) -> None:
    """Leave much behind: so many jobs due later, as many in history, a tenth in dead letters.

    The jobs due later lie in `default` and the quiet queues in turn.
    """
    counts = {
        "jobs": jobs,
        "dead": round(jobs * DEAD_LETTERS_PER_JOB),
        "queues": QUIET_QUEUES + 1,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WITHOUT_AUTOVACUUM)
        for statement in (FUTURE_JOBS, HISTORY, DEAD_LETTERS):
            connection.execute(statement, counts)
        for statement in SETTLED:
            connection.execute(statement)


@contextmanager
def open_transaction(url: str) -> Generator[None]:
    """Hold a transaction open until the end of the block: what dies meanwhile cannot be cleared."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        _take_snapshot(connection)
        yield


def _take_snapshot(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT count(*) FROM jobqueue.queues")
