"""Latency of an idle worker: from COMMIT in the enqueuer to the first line of user code."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import psycopg

from benchmarks.database import single
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.runs import RunLog
from benchmarks.worker_process import COMMAND, MeasureError, WorkerProcess, worker
from benchmarks.workload import note_run

# The worker has gone to sleep by then; the spread keeps its polls and ours from falling in step.
PAUSE_SECONDS = (0.1, 0.15)
WARM_UP = 5
DEADLINE_SECONDS = 30.0

Connection = psycopg.Connection[Any]


def idle_latency(options: Options) -> Group:
    """One job at a time for a worker that has nothing else to do."""

    def measure(bench: Bench) -> Samples:
        path = bench.folder / "latency.runs"
        count = options.idle_jobs + WARM_UP
        log = RunLog.create(path, count * 2)
        with (
            bench.server.fresh("latency") as url,
            psycopg.connect(url) as connection,
            worker(url, run_log=path) as process,
        ):
            _wait_until_asleep(connection, process)
            moments = [_enqueue(connection, number) for number in range(count)]
            process.wait_until(
                lambda: log.has(count), what="last idle jobs", seconds=DEADLINE_SECONDS
            )
            runs = log.runs()
        log.close()
        path.unlink()
        if sorted(one.number for one in runs) != list(range(count)):
            raise MeasureError(f"idle jobs: {len(runs)} runs of {count} jobs")
        runs.sort()
        pairs = list(zip(runs, moments, strict=True))[WARM_UP:]
        from_commit = [(ran.at_ns - moment[1]) / 1e6 for ran, moment in pairs]
        from_call = [(ran.at_ns - moment[0]) / 1e6 for ran, moment in pairs]
        return _percentiles("idle.commit", from_commit) | _percentiles("idle.call", from_call)

    starts = (("idle.commit", "COMMIT returned"), ("idle.call", "enqueue called"))
    metrics = [
        Metric(
            f"{name}.{point}",
            "ms",
            f"{since} to user code, {point}",
            target=5 if (name, point) == ("idle.commit", "p50") else None,
            less_is_better=True,
        )
        for name, since in starts
        for point in ("p50", "p95", "p99", "max")
    ]
    return Group(
        "latency of an idle worker",
        tuple(metrics),
        {
            "jobs": options.idle_jobs,
            "pause_seconds": PAUSE_SECONDS,
            "worker": f"python {' '.join(COMMAND)}",
        },
        measure,
    )


def _wait_until_asleep(connection: Connection, process: WorkerProcess) -> None:
    def asleep() -> bool:
        found = single(
            connection, "SELECT EXISTS (SELECT FROM jobqueue.workers WHERE sleeping <> '{}')"
        )
        connection.commit()
        return bool(found)

    process.wait_until(asleep, what="worker going to sleep", seconds=DEADLINE_SECONDS)


def _enqueue(connection: Connection, number: int) -> tuple[int, int]:
    """Pause, enqueue and commit. Gives the moments before the call and after the COMMIT, in ns."""
    time.sleep(random.uniform(*PAUSE_SECONDS))
    called = time.monotonic_ns()
    note_run.enqueue(connection, number=number)
    connection.commit()
    return called, time.monotonic_ns()


def _percentiles(name: str, values: list[float]) -> Samples:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {
        f"{name}.p50": cuts[49],
        f"{name}.p95": cuts[94],
        f"{name}.p99": cuts[98],
        f"{name}.max": max(values),
    }
