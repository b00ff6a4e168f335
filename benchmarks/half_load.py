"""Latency of a busy worker: jobs come in at half the rate at which it drains a backlog."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.database import single
from benchmarks.draining import Drain, drain_backlog
from benchmarks.latency import wait_until_asleep
from benchmarks.measure import (
    Bench,
    Group,
    Metric,
    Options,
    Samples,
    latency_metrics,
    percentiles,
)
from benchmarks.producer import INTERVAL_SECONDS
from benchmarks.worker_process import ROOT, MeasureError, command
from benchmarks.workload import note_run

SECONDS = 6.0
# What is enqueued at first meets a worker that has yet to get into its stride.
WARM_UP_SECONDS = 1.0


def half_load(options: Options) -> Group:
    """A process of its own enqueues in small transactions; the drain is measured just before."""

    def measure(bench: Bench) -> Samples:
        drained = drain_backlog(bench, note_run, options.jobs)
        size = max(1, round(drained.rate / 2 * INTERVAL_SECONDS))
        batches = round(SECONDS / INTERVAL_SECONDS)
        with (
            bench.server.fresh("half") as url,
            Drain.on(url, note_run, bench.folder) as drain,
            drain.workers(url, most_runs=2 * batches * size),
        ):
            wait_until_asleep(drain)
            committed = _produce(url, batches, size)
            drain.wait(lambda: drain.started() >= batches * size, "jobs at half load")
            [starts] = drain.starts()
            _check(drain, batches * size)
        warm_up = round(WARM_UP_SECONDS / INTERVAL_SECONDS)
        waited = [
            (starts[number] - committed[batch]) / 1e6
            for batch in range(warm_up, batches)
            for number in range(batch * size, (batch + 1) * size)
        ]
        seconds = (committed[-1] - committed[warm_up - 1]) / 1e9
        rate = (batches - warm_up) * size / seconds
        return {
            "half.rate": rate,
            "half.of_drain": rate / drained.rate,
            **percentiles("half.commit", waited),
        }

    return Group(
        "latency at half load",
        (
            Metric("half.rate", "jobs/s", "enqueued, in a transaction every 10 ms"),
            Metric("half.of_drain", "x", "of the rate of a drain just before", 0.45),
            *latency_metrics("half.commit", "COMMIT returned to user code", {"p99": 25}),
        ),
        {
            "seconds": SECONDS,
            "of_them_warm_up": WARM_UP_SECONDS,
            "interval_seconds": INTERVAL_SECONDS,
            "worker": f"python {' '.join(command())}",
        },
        measure,
    )


def _produce(url: str, batches: int, size: int) -> list[int]:
    """Enqueue so many batches from another process; give the moment of each COMMIT, in ns."""
    produced = subprocess.run(
        [sys.executable, "-m", "benchmarks.producer", url, str(batches), str(size)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if produced.returncode:
        raise MeasureError(f"producer: ended with {produced.returncode}:\n{produced.stderr}")
    return [int(moment) for moment in produced.stdout.split()]


def _check(drain: Drain, jobs: int) -> None:
    """Raise MeasureError unless each job ran once and is in history."""
    query = "SELECT count(*) FROM jobqueue.job_history WHERE state = 'completed' AND attempt = 1"
    drain.wait(lambda: single(drain.connection, query) == jobs, "last acks at half load")
    [starts] = drain.starts()
    if drain.started() != jobs or sorted(starts) != list(range(jobs)):
        raise MeasureError(f"half load: {drain.started()} runs of {jobs} jobs")
