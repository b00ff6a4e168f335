"""What a test wants to know of the database, in one word each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from jobqueue.store import jobs as statements
from jobqueue.store.database import executor, to_conninfo
from jobqueue.store.jobs import Enqueued, JobRecord
from jobqueue.store.statement import run


class Books:
    """A database as someone sees it who looks from outside; each statement commits by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(to_conninfo(url), autocommit=True)
        self.execute = executor(self.connection)

    def close(self) -> None:
        self.connection.close()

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(text.encode(), params)
        return cursor.fetchall() if cursor.description else []

    def value(self, text: str, params: Sequence[Any] = ()) -> Any:
        return self.rows(text, params)[0][0]

    def job(self, job: Enqueued | UUID) -> JobRecord:
        """Give the one record of a job; a job in two tables at once fails here."""
        job_id = job.id if isinstance(job, Enqueued) else job
        [found] = run(self.execute, statements.show(job_id))
        return found

    def state(self, job: Enqueued | UUID) -> str:
        return self.job(job).state

    def states(self) -> dict[str, int]:
        """Give how many jobs there are in each state."""
        return dict(self.rows("SELECT state, count(*) FROM jobqueue.all_jobs GROUP BY state"))

    def unfinished(self) -> int:
        return self.value("SELECT count(*) FROM jobqueue.jobs")

    def sleeping(self) -> list[str]:
        """Name the queues in which some worker sleeps."""
        return [row[0] for row in self.rows("SELECT unnest(sleeping) FROM jobqueue.workers")]

    def connected(self) -> int:
        """Count the connections of workers."""
        return self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'jobqueue %%' AND pid <> pg_backend_pid()"
        )

    def enter_task(self, name: str) -> None:
        """Enter a task as a worker does that has it; until then all its arguments are hidden."""
        self.rows("INSERT INTO jobqueue.tasks VALUES (%s, 'default', 5, 5)", [name])

    def bury(self, task: str, *, queue: str = "default", args: str = "{}") -> UUID:
        """Make a dead letter, as a worker does after a last attempt that failed."""
        return self.value(
            """
            INSERT INTO jobqueue.dead_letters (
                id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
                max_attempts, queue, task, args, errors)
            VALUES (
                jobqueue.uuid_v7(), now(), now(), now(), clock_timestamp(), 1, 5, 1, 1, %s, %s, %s,
                jsonb_build_array(jsonb_build_object(
                    'attempt', 1, 'error', 'ValueError', 'message', 'it [broke] badly',
                    'traceback', E'Traceback:\n  the line that broke', 'failed_at', now())))
            RETURNING id
            """,
            [queue, task, args],
        )

    def cut(self, application_name: str = "jobqueue %") -> int:
        """End the sessions of workers, or of one part of them, as a restart does; give how many."""
        return len(
            self.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name LIKE %s "
                "AND pid <> pg_backend_pid()",
                [application_name],
            )
        )
