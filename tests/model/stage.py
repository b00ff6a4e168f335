"""The real sessions that the model is played on."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from jobqueue.store.database import session_settings, to_conninfo
from tests.conftest import TABLES
from tests.store.steps import do, enter_task

TASK = "work"
KEYS = ("a", "b")

SOLO = "solo"
"""The session whose statements commit one by one; it also looks on."""
SESSIONS: tuple[str, ...] = (SOLO, "left", "right")

JOBS = """
SELECT job.id, row.place, job.state, (job.args ->> 'n')::integer, job.attempt, job.max_attempts,
       coalesce(jsonb_array_length(job.errors), 0), job.worker_id, row.lease, row.unique_key,
       row.contested
FROM jobqueue.all_jobs AS job
FULL JOIN (
    SELECT id, 'jobs' AS place, lease, unique_key, contested IS NOT NULL AS contested
    FROM jobqueue.jobs
    UNION ALL
    SELECT id, 'job_history', NULL, NULL, false FROM jobqueue.job_history
    UNION ALL
    SELECT id, 'dead_letters', NULL, NULL, false FROM jobqueue.dead_letters
) AS row USING (id)
ORDER BY job.id, row.place
"""
MY_KEY = """
SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND pid = pg_backend_pid()
"""
WORKERS = "SELECT id, name, expires_at < clock_timestamp() FROM jobqueue.workers ORDER BY id"
REQUESTS = "SELECT job_id FROM jobqueue.cancel_requests ORDER BY job_id"
ONCE = "SELECT key, job_id, expires_at <= now() FROM jobqueue.idempotency_keys ORDER BY key"


@dataclass
class Stage:
    """One session that commits each statement, two whose transactions stay open, and a thread."""

    sessions: dict[str, psycopg.Connection]
    thread: ThreadPoolExecutor
    key_numbers: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    @property
    def solo(self) -> psycopg.Connection:
        return self.sessions[SOLO]

    def clear(self) -> None:
        """End the transactions and delete every row."""
        for session in self.sessions.values():
            session.rollback()
        for table in TABLES:
            self.solo.execute(sql.SQL("DELETE FROM jobqueue.{}").format(sql.Identifier(table)))
        enter_task(self.solo, TASK)

    def read_key_numbers(self) -> None:
        """Find out by which number each key is locked: that order is the database's to choose."""
        for kind in ("idempotency", "unique"):
            for key in KEYS:
                with self.solo.transaction():
                    self.solo.execute(
                        "SELECT jobqueue.take_key(jobqueue.key_hash(%s, %s, %s))", [kind, TASK, key]
                    )
                    [(number,)] = self.solo.execute(MY_KEY).fetchall()
                self.key_numbers[kind, key] = number

    def blockers(self, name: str) -> set[str]:
        """Name the sessions that a session waits for."""
        found = self.solo if name != SOLO else self.sessions["looker"]
        pid = self.sessions[name].info.backend_pid
        [(pids,)] = found.execute("SELECT pg_blocking_pids(%s)", [pid]).fetchall()
        return {one for one in SESSIONS if self.sessions[one].info.backend_pid in pids}


@contextmanager
def stage_at(url: str) -> Generator[Stage]:
    """Open the sessions, as a worker has them. Who waits and was not to fails soon."""
    with ExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))
        sessions = {
            name: stack.enter_context(psycopg.connect(to_conninfo(url), autocommit=True))
            for name in (*SESSIONS, "looker")
        }
        for name, session in sessions.items():
            do(session, session_settings("3s"))
            session.autocommit = name in {SOLO, "looker"}
        stage = Stage(sessions, thread)
        stage.clear()
        stage.read_key_numbers()
        yield stage
