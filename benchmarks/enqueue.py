"""Enqueueing: what it costs beside a plain INSERT, and how fast it goes in bulk."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.workload import note_run

# The same columns and indexes as the table of jobs, and no function in between.
LIKE_TABLE = "CREATE TABLE plain_rows (LIKE jobqueue.jobs INCLUDING ALL)"
PLAIN_INSERT = b"""
    INSERT INTO plain_rows (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
    VALUES (jobqueue.uuid_v7(), now(), now(), %(priority)s, %(max_attempts)s, 'available',
            %(queue)s, %(task)s, %(args)s::jsonb)
"""
# The two ways take turns in blocks, so that a busy moment of the machine slows both.
BLOCKS = 10
WARM_UP = 20

Connection = psycopg.Connection[Any]
Insert = Callable[[Connection, int], object]


def one_by_one(options: Options) -> Group:
    """One job a call, committed each time and within one open transaction."""

    def measure(bench: Bench) -> Samples:
        with bench.server.fresh("enqueue") as url, psycopg.connect(url) as connection:
            connection.execute(LIKE_TABLE)
            connection.commit()
            committed = _beside(connection, options.single_commits, _committed)
            opened = _beside(connection, options.single_inserts, lambda insert: insert)
            connection.commit()
        return {
            "enqueue.commit.rate": options.single_commits / committed[0],
            "enqueue.commit.plain_rate": options.single_commits / committed[1],
            "enqueue.commit.ratio": committed[0] / committed[1],
            "enqueue.open.rate": options.single_inserts / opened[0],
            "enqueue.open.plain_rate": options.single_inserts / opened[1],
            "enqueue.open.ratio": opened[0] / opened[1],
        }

    return Group(
        "enqueue one by one",
        (
            Metric("enqueue.commit.rate", "jobs/s", "enqueue and COMMIT each"),
            Metric("enqueue.commit.plain_rate", "rows/s", "plain INSERT and COMMIT each"),
            Metric("enqueue.commit.ratio", "x", "enqueue / plain INSERT, time with COMMIT"),
            Metric("enqueue.open.rate", "jobs/s", "enqueue in one open transaction"),
            Metric("enqueue.open.plain_rate", "rows/s", "plain INSERT in one open transaction"),
            Metric("enqueue.open.ratio", "x", "enqueue / plain INSERT, time in one transaction"),
        ),
        {
            "commits": options.single_commits,
            "inserts": options.single_inserts,
            "connection": "one psycopg connection, no worker",
        },
        measure,
    )


def in_bulk(options: Options) -> Group:
    """All jobs in one transaction: by statements that carry thousands, and by COPY."""

    def measure(bench: Bench) -> Samples:
        items = [{"number": number} for number in range(options.jobs)]
        seconds: list[float] = []
        for enqueue in (note_run.enqueue_many, note_run.enqueue_bulk):
            with bench.server.fresh("bulk") as url, psycopg.connect(url) as connection:
                enqueue(connection, items[:1])
                connection.rollback()
                began = perf_counter()
                enqueue(connection, items)
                connection.commit()
                seconds.append(perf_counter() - began)
        return {
            "enqueue.many.rate": options.jobs / seconds[0],
            "enqueue.bulk.rate": options.jobs / seconds[1],
        }

    return Group(
        "enqueue in bulk",
        (
            Metric("enqueue.many.rate", "jobs/s", "enqueue_many in one transaction", 50_000),
            Metric("enqueue.bulk.rate", "jobs/s", "enqueue_bulk in one transaction", 100_000),
        ),
        {"jobs": options.jobs},
        measure,
    )


def _beside(
    connection: Connection, count: int, way: Callable[[Insert], Insert]
) -> tuple[float, float]:
    """Give the seconds that `count` enqueues took, and as many plain INSERTs."""
    inserts = (way(enqueue_one), way(insert_plain))
    for insert in inserts:
        _time(insert, connection, WARM_UP)
    seconds = [0.0, 0.0]
    for _ in range(BLOCKS):
        for which, insert in enumerate(inserts):
            seconds[which] += _time(insert, connection, count // BLOCKS)
    return seconds[0], seconds[1]


def _time(insert: Insert, connection: Connection, count: int) -> float:
    began = perf_counter()
    for number in range(count):
        insert(connection, number)
    return perf_counter() - began


def _committed(insert: Insert) -> Insert:
    def insert_and_commit(connection: Connection, number: int) -> None:
        insert(connection, number)
        connection.commit()

    return insert_and_commit


def enqueue_one(connection: Connection, number: int) -> object:
    """Enqueue a job in the transaction of `connection`."""
    return note_run.enqueue(connection, number=number)


def insert_plain(connection: Connection, number: int) -> object:
    """Insert the same into a table like that of jobs."""
    return connection.execute(
        PLAIN_INSERT,
        {
            "priority": 5,
            "max_attempts": 5,
            "queue": "default",
            "task": "note_run",
            "args": f'{{"number": {number}}}',
        },
    )
