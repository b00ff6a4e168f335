"""Latency of an idle worker: from COMMIT in the enqueuer to the first line of user code."""

from __future__ import annotations

import random
import time

from benchmarks.database import single
from benchmarks.draining import Drain
from benchmarks.measure import Bench, Group, Options, Samples, latency_metrics, percentiles
from benchmarks.worker_process import command
from benchmarks.workload import note_run

# The worker has gone to sleep by then; the spread keeps its polls and ours from falling in step.
PAUSE_SECONDS = (0.1, 0.15)
WARM_UP = 5


def idle_latency(options: Options) -> Group:
    """One job at a time for a worker that has nothing else to do."""

    def measure(bench: Bench) -> Samples:
        with (
            bench.server.fresh("latency") as url,
            Drain.on(url, note_run, bench.folder) as drain,
            drain.workers(url, most_runs=2 * (options.idle_jobs + WARM_UP)),
        ):
            from_commit, from_call = one_at_a_time(drain, options.idle_jobs)
            drain.check()
        return percentiles("idle.commit", from_commit) | percentiles("idle.call", from_call)

    return Group(
        "latency of an idle worker",
        (
            *latency_metrics("idle.commit", "COMMIT returned to user code", {"p50": 2, "p99": 10}),
            *latency_metrics("idle.call", "enqueue called to user code", {}),
        ),
        {
            "jobs": options.idle_jobs,
            "pause_seconds": PAUSE_SECONDS,
            "worker": f"python {' '.join(command())}",
        },
        measure,
    )


def one_at_a_time(drain: Drain, count: int) -> tuple[list[float], list[float]]:
    """Give the milliseconds from COMMIT and from the call to the start of so many single jobs."""
    wait_until_asleep(drain)
    first = drain.jobs + WARM_UP
    moments: dict[int, tuple[int, int]] = {}
    for number in range(drain.jobs, first + count):
        time.sleep(random.uniform(*PAUSE_SECONDS))
        moments[number] = drain.enqueue_one()
    drain.settle()
    [starts] = drain.starts()
    measured = [(starts[number], moments[number]) for number in range(first, first + count)]
    return (
        [(started - committed) / 1e6 for started, (_, committed) in measured],
        [(started - called) / 1e6 for started, (called, _) in measured],
    )


def wait_until_asleep(drain: Drain, workers: int = 1) -> None:
    """Wait until so many workers rely on being woken."""
    query = "SELECT count(*) FROM jobqueue.workers WHERE sleeping <> '{}'"
    drain.wait(lambda: single(drain.connection, query) == workers, "workers going to sleep")
