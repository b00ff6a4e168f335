"""Rows that a call has no business with, and what holds of every table whatever was called."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import psycopg

from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.store import jobs, workers
from jobqueue.store.claims import Claimed
from tests.store.steps import bury, claim, complete, do, enqueue, register

KEY = "the key of a bystander"

# Everything that is in them, as one word; history as its parent shows it, whatever the partition.
DIGEST = """
    SELECT md5(string_agg(one.line, E'\n' ORDER BY one.line))
    FROM (
        SELECT 'job ' || row::text AS line FROM jobqueue.jobs AS row WHERE id = ANY (%(ids)s)
        UNION ALL SELECT 'history ' || row::text FROM jobqueue.job_history AS row
            WHERE id = ANY (%(ids)s)
        UNION ALL SELECT 'dead ' || row::text FROM jobqueue.dead_letters AS row
            WHERE id = ANY (%(ids)s)
        UNION ALL SELECT 'worker ' || row::text FROM jobqueue.workers AS row WHERE id = %(worker)s
        UNION ALL SELECT 'task ' || row::text FROM jobqueue.tasks AS row WHERE name = 'known'
        UNION ALL SELECT 'queue ' || row::text FROM jobqueue.queues AS row WHERE name = 'default'
        UNION ALL SELECT 'processed ' || row::text FROM jobqueue.processed_ids AS row
            WHERE row.job_id = ANY (%(ids)s)
        UNION ALL SELECT 'key ' || row::text FROM jobqueue.idempotency_keys AS row
            WHERE row.job_id = ANY (%(ids)s)
        UNION ALL SELECT 'throttle ' || row::text FROM jobqueue.throttles AS row
            WHERE row.hash = jobqueue.key_hash('unique', 'known', %(key)s)
        UNION ALL SELECT 'schema ' || row::text FROM jobqueue.schema_version AS row
        UNION ALL SELECT 'revision ' || row::text FROM jobqueue.alembic_version AS row
    ) AS one
"""

BROKEN = """
    SELECT 'in two tables' AS rule, id::text AS what
    FROM jobqueue.all_jobs GROUP BY id HAVING count(*) > 1
    UNION ALL SELECT 'runs under a lease or not at all', id::text FROM jobqueue.jobs
        WHERE (state = 'running') <> (worker_id IS NOT NULL AND lease IS NOT NULL
                                      AND started_at IS NOT NULL)
    UNION ALL SELECT 'blocked exactly when contested', id::text FROM jobqueue.jobs
        WHERE (state = 'blocked') <> (contested IS NOT NULL)
    UNION ALL SELECT 'holds a key only while it waits', id::text FROM jobqueue.jobs
        WHERE unique_hash IS NOT NULL
          AND (unique_key IS NULL OR state NOT IN ('scheduled', 'available'))
    UNION ALL SELECT 'files a key under its own hash', id::text FROM jobqueue.jobs
        WHERE unique_hash <> jobqueue.key_hash('unique', task, unique_key)
    UNION ALL SELECT 'within its attempts', id::text FROM jobqueue.jobs
        WHERE attempt NOT BETWEEN 0 AND max_attempts OR max_attempts < 1
    UNION ALL SELECT 'takes an object', id::text FROM jobqueue.all_jobs
        WHERE jsonb_typeof(args) <> 'object'
    UNION ALL SELECT 'has a name and a queue', id::text FROM jobqueue.all_jobs
        WHERE length(task) NOT BETWEEN 1 AND 200 OR length(queue) NOT BETWEEN 1 AND 63
    UNION ALL SELECT 'keeps its errors in a list', id::text FROM jobqueue.all_jobs
        WHERE errors IS NOT NULL AND jsonb_typeof(errors) <> 'array'
    UNION ALL SELECT 'scheduled if due later', id::text FROM jobqueue.jobs
        WHERE state = 'scheduled' AND run_at < enqueued_at AND attempt = 0
"""


class Bystanders:
    """One row of every kind, none of which is ever named to what is called."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.ids: list[UUID] = []
        known = {"name": "known", "queue": "other", "priority": 1, "max_attempts": 3}
        do(connection, workers.register_tasks(json.dumps([{**known, "secrets": ["pin"]}])))
        self.worker = register(connection, lease_seconds=86_400)
        for end in (complete, bury):
            end(connection, self._claimed(connection))
        self._claimed(connection)
        cancelled = enqueue(connection)
        do(connection, jobs.cancel(cancelled))
        self.ids += [
            cancelled,
            enqueue(connection),
            enqueue(connection, delay=timedelta(days=300)),
            self._keyed(connection),
            self._contested(connection),
        ]
        connection.execute("INSERT INTO jobqueue.processed_ids VALUES (%s)", [self.ids[0]])
        # One that was kept for want of a partition for its day.
        connection.execute(
            "UPDATE jobqueue.job_history SET finished_at = now() - interval '40 days' "
            "WHERE id = %s",
            [self.ids[0]],
        )

    def _claimed(self, connection: psycopg.Connection) -> Claimed:
        self.ids.append(enqueue(connection))
        [job] = claim(connection, self.worker)
        return job

    def _keyed(self, connection: psycopg.Connection) -> UUID:
        found = connection.execute(
            """SELECT job_id FROM jobqueue.enqueue_v1(
                   'known', idempotency_key => %(key)s, unique_key => %(key)s,
                   unique_mode => 'throttle', unique_window => '1 day', delay => '1 day')""",
            {"key": KEY},
        ).fetchone()
        assert found is not None
        return found[0]

    def _contested(self, connection: psycopg.Connection) -> UUID:
        options = EnqueueOptions().using(UsingOptions(idempotency_key="contested"))
        with connection.transaction():
            # As many keys as a transaction may hold: what comes next is the leader's to decide.
            connection.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
            [enqueued] = do(connection, jobs.enqueue("known", "{}", options, options.keys({})))
        return enqueued.id

    def digest(self, connection: psycopg.Connection) -> str:
        """Give everything these rows hold as one word, to be compared with that of another time."""
        row = connection.execute(
            DIGEST, {"ids": self.ids, "key": KEY, "worker": self.worker}
        ).fetchone()
        assert row is not None
        return row[0]


def broken(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Name the rules that do not hold, and the rows they do not hold for."""
    return connection.execute(BROKEN).fetchall()
