"""Numbered jobs of one task, and workers that drain them: timed, and checked one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from benchmarks.measure import Bench
from benchmarks.processes import ServerProcesses, cpu_seconds
from benchmarks.runs import RunLog
from benchmarks.worker_process import QUEUE, MeasureError, WorkerProcess, wait_until, worker
from jobqueue import Task

# A worker's last acks are of the jobs it ran last: only these are asked for, again and again.
LAST_JOBS = 2_000

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Drained:
    """How a drain went. The clock runs while every worker is at work, and until the last ack.

    worker_us, server_us: processor time a job, of all workers and of the server; None: not known.
    """

    seconds: float
    rate: float
    memory_mib: float
    worker_us: float | None
    server_us: float | None


class Used(NamedTuple):
    """Seconds on a processor up to a moment (CLOCK_MONOTONIC)."""

    at_ns: int
    workers: float
    server: float | None


class Drain:
    """Jobs with numbers from 0, in the database of `connection`, which commits by itself.

    folder: for what the workers write.
    keys: how many values the argument `key` of the task takes in turn; None: it has no such one.
    """

    def __init__(
        self, connection: Connection, task: Task[..., Any], folder: Path, keys: int | None
    ) -> None:
        self.connection = connection
        self._task = task
        self._keys = keys
        self._folder = folder
        self._files = ExitStack()
        self._ids: list[UUID] = []
        self._logs: list[RunLog] = []
        self._processes: list[WorkerProcess] = []
        # Runs that each log held when jobs were enqueued last.
        self._marks: list[int] = []
        self._server = ServerProcesses.of(connection)

    @classmethod
    @contextmanager
    def on(
        cls, url: str, task: Task[..., Any], folder: Path, *, keys: int | None = None
    ) -> Generator[Drain]:
        """Have one on the database at `url` until the end of the block."""
        with psycopg.connect(url, autocommit=True) as connection:
            drain = cls(connection, task, folder, keys)
            with drain._files:
                yield drain

    @property
    def jobs(self) -> int:
        """How many were enqueued so far."""
        return len(self._ids)

    def enqueue(self, count: int) -> None:
        """Enqueue so many more, in one transaction; `finish` is about them."""
        self._marks = [log.noted() for log in self._logs]
        items = [self._arguments(number) for number in range(self.jobs, self.jobs + count)]
        with self.connection.transaction():
            self._ids += [made.id for made in self._task.enqueue_many(self.connection, items)]

    def _arguments(self, number: int) -> dict[str, int]:
        if self._keys is None:
            return {"number": number}
        return {"number": number, "key": number % self._keys}

    def enqueue_one(self) -> tuple[int, int]:
        """Enqueue one more. Gives the moments before the call and after the COMMIT, in ns."""
        called = time.monotonic_ns()
        with self.connection.transaction():
            self._ids.append(self._task.enqueue(self.connection, self.jobs).id)
        return called, time.monotonic_ns()

    @contextmanager
    def workers(
        self,
        url: str,
        *,
        most_runs: int,
        processes: int = 1,
        queues: Sequence[str] = (QUEUE,),
        options: Sequence[str] = (),
    ) -> Generator[None]:
        """Run workers until the end of the block.

        most_runs: how many each of them may note. options: of the command, beside its queues.
        """
        with ExitStack() as stack:
            for number in range(processes):
                path = self._folder / f"{self._task.name}-{number}.runs"
                log = RunLog.create(path, most_runs)
                self._files.callback(path.unlink)
                self._files.callback(log.close)
                self._logs.append(log)
                self._marks.append(0)
                self._processes.append(
                    stack.enter_context(worker(url, run_log=path, queues=queues, options=options))
                )
            yield

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until `condition` holds. Raises MeasureError at a deadline, or if a worker ends."""
        wait_until(condition, self._processes, what=what)

    def finish(self) -> Drained:
        """Wait until everything is drained, with the clock on what was enqueued last together."""
        self.wait(self._at_work, "drain: first runs")
        before = self.used()
        self.settle()
        return self._drained(before, self.used())

    def settle(self) -> None:
        """Wait until everything is drained."""
        # The database is not asked before the last job has started: asking takes its time away.
        self.wait(lambda: self.started() >= self.jobs, f"drain of {self.jobs:,} jobs")
        last = [
            self._ids[run.number]
            for log in self._logs
            for run in log.runs(max(0, log.noted() - LAST_JOBS))
        ]
        self.wait(lambda: not self._any_left(last), f"drain of {self.jobs:,} jobs: last acks")

    def started(self) -> int:
        """Give how many runs are noted so far."""
        return sum(log.noted() for log in self._logs)

    def starts(self) -> list[dict[int, int]]:
        """Give for each worker the moment at which each of its jobs started, in ns."""
        return [{run.number: run.at_ns for run in log.runs()} for log in self._logs]

    def used(self) -> Used:
        """Give what the workers and the server have used of the processor so far."""
        return Used(
            time.monotonic_ns(),
            cpu_seconds(process.pid for process in self._processes),
            self._server.cpu_seconds() if self._server else None,
        )

    def check(self) -> None:
        """Raise MeasureError unless each job ran once and completed at its first attempt."""
        ran = sorted(run.number for log in self._logs for run in log.runs())
        if ran != list(range(self.jobs)):
            raise MeasureError(
                f"runs: {len(ran)} of {len(set(ran))} jobs, {self.jobs} enqueued; "
                "each should have run once"
            )
        completed = self.connection.execute(
            """
            SELECT id FROM jobqueue.job_history
            WHERE state = 'completed' AND attempt = 1 AND id = ANY (%s)
            """,
            [self._ids],
        ).fetchall()
        expected = self.jobs if self._task.history else 0
        kept = {row[0] for row in completed}
        if len(kept) != len(completed) or len(kept) != expected:
            raise MeasureError(
                f"history: {len(completed)} rows of {len(kept)} jobs that completed at their first "
                f"attempt, {self.jobs} enqueued; each should be there "
                f"{'once' if self._task.history else 'not at all'}"
            )
        if self._any_left(self._ids):
            raise MeasureError("jobs: some are there that have completed; they should be gone")

    def _at_work(self) -> bool:
        """Whether each worker has started one of the last jobs; or all jobs have started."""
        began = [log.noted() > mark for log, mark in zip(self._logs, self._marks, strict=True)]
        return all(began) or self.started() >= self.jobs

    def _any_left(self, ids: Sequence[UUID]) -> bool:
        row = self.connection.execute(
            "SELECT EXISTS (SELECT FROM jobqueue.jobs WHERE id = ANY (%s))", [ids]
        ).fetchone()
        return row is not None and bool(row[0])

    def _drained(self, before: Used, after: Used) -> Drained:
        starts = [
            [run.at_ns for run in log.runs(mark)]
            for log, mark in zip(self._logs, self._marks, strict=True)
        ]
        if not all(starts):
            raise MeasureError("drain: one of the workers had nothing left to do; drain more jobs")
        began = max(min(moments) for moments in starts)
        counted = sum(at >= began for moments in starts for at in moments)
        sampled = sum(at >= before.at_ns for moments in starts for at in moments)
        seconds = (after.at_ns - began) / 1e9
        server = (
            None if after.server is None or before.server is None else after.server - before.server
        )
        return Drained(
            seconds=seconds,
            rate=counted / seconds,
            memory_mib=sum(process.peak_memory_mib() for process in self._processes),
            worker_us=(after.workers - before.workers) * 1e6 / sampled if sampled else None,
            server_us=server * 1e6 / sampled if sampled and server is not None else None,
        )


def drain_backlog(
    bench: Bench,
    task: Task[[int], Any],
    count: int,
    *,
    processes: int = 1,
    options: Sequence[str] = (),
) -> Drained:
    """Drain a backlog that is there before the workers, in a database of its own."""
    with bench.server.fresh("drain") as url, Drain.on(url, task, bench.folder) as drain:
        drain.enqueue(count)
        with drain.workers(url, most_runs=2 * count, processes=processes, options=options):
            drained = drain.finish()
        drain.check()
    return drained
