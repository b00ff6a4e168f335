"""What a test does with the doctor: let it look, and do what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from jobqueue.doctor import Limits, Problem, Report, examine
from jobqueue.store.database import to_conninfo
from tests.waiting import until
from tests.worker.books import Books

# Nothing in a test is as old as what is old in production.
QUICK = Limits(leader_seconds=0.3)


class Visit(Books):
    """A database that is ill, or not. limits: by which the doctor looks."""

    limits: Limits = QUICK

    def report(self, *only: str) -> Report:
        return examine(self.url, limits=self.limits, only=only)

    def problems(self, *only: str) -> list[tuple[str, Problem]]:
        """Give what is wrong; that something could not be seen fails here."""
        report = self.report(*only)
        assert report.unseen == []
        return report.problems

    def problem(self, check: str) -> Problem:
        """Give the one thing that is wrong, which `check` has to name."""
        [(name, found)] = self.problems()
        assert name == check
        return found

    def obey(self, problem: Problem) -> None:
        """Run those of the remedies that are statements."""
        for remedy in problem.remedies:
            if not remedy.startswith(("#", "jobqueue ", "pip ")):
                self.rows(remedy)

    def healed(self, *only: str) -> None:
        """Wait until nothing is wrong any more."""
        until(lambda: not self.problems(*only), what="the doctor finds nothing more")

    @contextmanager
    def other(self, **options: Any) -> Iterator[psycopg.Connection]:
        """Open another session; it may be ended from outside."""
        connection = psycopg.connect(to_conninfo(self.url), **options)
        try:
            yield connection
        finally:
            connection.close()

    def worker(
        self, *queues: str, tasks: str | None = "{}", expires: str = "1 hour", name: str = "vm:1"
    ) -> None:
        """Enter a worker in the books."""
        self.rows(
            "INSERT INTO jobqueue.workers "
            "(name, hostname, pid, queues, concurrency, tasks, expires_at) VALUES "
            "(%s, 'vm', 1, %s, 7, %s, now() + %s::interval)",
            [name, list(queues), tasks, expires],
        )

    @contextmanager
    def led(self) -> Iterator[None]:
        """Hold the leader's lock."""
        from jobqueue.store.maintenance import LEADER_LOCK

        with self.other(autocommit=True) as leader:
            leader.execute("SELECT pg_advisory_lock(%s)", [LEADER_LOCK])
            yield
