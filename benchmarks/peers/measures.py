"""What is measured of each peer, one measure after the other."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.database import single
from benchmarks.measure import Metric, Samples, latency_metrics, percentiles
from benchmarks.peers.database import Server, settle
from benchmarks.peers.environments import Environment
from benchmarks.peers.peer import Peer
from benchmarks.peers.processes import Trickle, Workers, command, trickle, workers
from benchmarks.worker_process import MeasureError

DUE_IN_DAYS = 10
# Their numbers are far from those of the jobs that run.
FIRST_SCHEDULED = 1_000_000_000
# The worker has gone to sleep by then; the spread keeps its polls and ours from falling in step.
PAUSE_SECONDS = (0.1, 0.15)
WARM_UP = 5
START_SECONDS = 60.0
# The slowest that is waited for.
JOBS_A_SECOND = 10


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is measured. scheduled: jobs due in days that lie beside a drain."""

    jobs: int = 50_000
    scheduled: int = 200_000
    idle_jobs: int = 200

    def of(self, peer: Peer) -> Amounts:
        """Give what this peer is given: less, where it is slow."""
        return Amounts(
            jobs=min(self.jobs, peer.jobs or self.jobs),
            scheduled=min(self.scheduled, peer.scheduled or self.scheduled),
            idle_jobs=self.idle_jobs,
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """A peer, ready to be measured. folder: for the files of a measure."""

    peer: Peer
    environment: Environment
    server: Server
    folder: Path
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Measure:
    """Metrics that are measured together, and how."""

    name: str
    metrics: tuple[Metric, ...]
    take: Callable[[Subject], Samples]


def try_out(subject: Subject) -> None:
    """Raise MeasureError unless the program can make its schema."""
    with subject.server.empty("try_out") as url:
        command(subject.environment, "setup", url)


def _bulk(subject: Subject) -> Samples:
    with subject.server.empty("bulk") as url:
        command(subject.environment, "setup", url)
        seconds = _fill(subject, url, 0, subject.amounts.jobs)
        with psycopg.connect(url, autocommit=True) as connection:
            unfinished = single(connection, subject.peer.unfinished)
    if unfinished != subject.amounts.jobs:
        raise MeasureError(f"bulk: {unfinished} of {subject.amounts.jobs} jobs are there")
    return {"enqueue.bulk": subject.amounts.jobs / seconds}


def _drain_by_one(subject: Subject) -> Samples:
    rate, memory = _drain(subject, processes=1)
    return {"drain.one": rate, "memory": memory}


def _drain_by_two(subject: Subject) -> Samples:
    rate, _ = _drain(subject, processes=2)
    return {"drain.two": rate}


def _drain_beside_scheduled(subject: Subject) -> Samples:
    rate, _ = _drain(subject, processes=1, scheduled=subject.amounts.scheduled)
    return {"drain.scheduled": rate}


def _drain(subject: Subject, *, processes: int, scheduled: int = 0) -> tuple[float, float]:
    """Give jobs per second and the workers' peak memory in MiB.

    The clock runs from the first run that was noted to a moment when another session sees no job
    unfinished: the workers' start does not count, and their last acknowledgement does.
    """
    jobs = subject.amounts.jobs
    with (
        subject.server.empty("drain") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        command(subject.environment, "setup", url)
        if scheduled:
            _fill(subject, url, FIRST_SCHEDULED, scheduled, in_days=DUE_IN_DAYS)
        before = _unfinished(subject, connection)
        _fill(subject, url, 0, jobs)
        settle(connection)
        found = _unfinished(subject, connection) - before
        if found != jobs:
            raise MeasureError(f"drain: {found} of {jobs} jobs are there")
        with workers(
            subject.environment, url, subject.folder, processes=processes, jobs=jobs
        ) as running:
            ended_ns = _wait_for_the_end(subject, connection, running, before)
            memory = running.peak_memory_mib()
        running.check_once_each(jobs)
        first_ns = min(run.at_ns for run in running.runs())
        running.close()
    return jobs / (ended_ns - first_ns) * 1e9, memory


def _wait_for_the_end(
    subject: Subject, connection: psycopg.Connection, running: Workers, before: int
) -> int:
    """Give the moment when nothing was unfinished, in ns."""
    jobs = subject.amounts.jobs
    seconds = START_SECONDS + jobs / JOBS_A_SECOND
    # The database is not asked before the last job has started: asking takes its time away.
    running.wait_until(
        lambda: running.noted() >= jobs, what=f"drain of {jobs:,} jobs", seconds=seconds
    )
    asked_ns = 0

    def ended() -> bool:
        nonlocal asked_ns
        asked_ns = time.monotonic_ns()
        return _unfinished(subject, connection) <= before

    running.wait_until(ended, what=f"drain of {jobs:,} jobs: the last ends", seconds=seconds)
    return asked_ns


def _latency(subject: Subject) -> Samples:
    """From COMMIT in the enqueuer to the first line of the job, in an idle worker."""
    count = WARM_UP + subject.amounts.idle_jobs
    with subject.server.empty("latency") as url:
        command(subject.environment, "setup", url)
        with (
            workers(subject.environment, url, subject.folder, processes=1, jobs=count) as running,
            trickle(subject.environment, url, subject.folder) as enqueuer,
        ):
            committed = [_enqueue_and_wait(enqueuer, running, number) for number in range(WARM_UP)]
            committed += [_enqueue_later(enqueuer, number) for number in range(WARM_UP, count)]
            running.wait_until(
                lambda: running.noted() >= count, what="the last idle jobs", seconds=START_SECONDS
            )
        running.check_once_each(count)
        runs = running.runs()
        running.close()
    pairs = list(zip(runs, committed, strict=True))[WARM_UP:]
    return percentiles("idle", [(run.at_ns - moment) / 1e6 for run, moment in pairs])


def _enqueue_and_wait(enqueuer: Trickle, running: Workers, number: int) -> int:
    """Enqueue a job and see it run: the first shows that the worker is there."""
    moment = enqueuer.enqueue(number)
    running.wait_until(
        lambda: running.noted() > number, what=f"warm-up job {number}", seconds=START_SECONDS
    )
    return moment


def _enqueue_later(enqueuer: Trickle, number: int) -> int:
    time.sleep(random.uniform(*PAUSE_SECONDS))
    return enqueuer.enqueue(number)


def _fill(subject: Subject, url: str, first: int, count: int, *, in_days: int = 0) -> float:
    """Enqueue jobs in bulk. Gives the seconds that it took."""
    later = ("--in-days", str(in_days)) if in_days else ()
    said = command(subject.environment, "fill", url, str(first), str(count), *later)
    return float(json.loads(said)["seconds"])


def _unfinished(subject: Subject, connection: psycopg.Connection) -> int:
    return int(single(connection, subject.peer.unfinished))


MEASURES = (
    Measure("bulk", (Metric("enqueue.bulk", "jobs/s", "enqueue in bulk"),), _bulk),
    Measure(
        "drain-1",
        (
            Metric("drain.one", "jobs/s", "drain, 1 worker"),
            Metric("memory", "MiB", "memory, 1 worker", less_is_better=True),
        ),
        _drain_by_one,
    ),
    Measure("drain-2", (Metric("drain.two", "jobs/s", "drain, 2 workers"),), _drain_by_two),
    Measure(
        "drain-scheduled",
        (Metric("drain.scheduled", "jobs/s", "drain, beside scheduled"),),
        _drain_beside_scheduled,
    ),
    Measure("latency", tuple(latency_metrics("idle", "idle", {})), _latency),
)
