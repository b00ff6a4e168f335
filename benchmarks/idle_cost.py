"""What workers cost while there is nothing to do: processor time, and statements."""

from __future__ import annotations

import time

from benchmarks.database import single
from benchmarks.draining import Drain
from benchmarks.latency import wait_until_asleep
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import command
from benchmarks.workload import note_run

MANY = 50
SECONDS = 10.0
# Until the pauses between polls have grown to their longest.
CALM_SECONDS = 4.0
# Each statement of a worker is a transaction of its own; the server's count of them is up to a
# second late. Our own session's part of it is brought up to date first: two between two readings.
COUNT_OURS = b"SELECT pg_stat_force_next_flush()"
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
OUR_COMMITS = 2


def idle_cost(_: Options) -> Group:
    """One idle worker, then many on one database."""

    def measure(bench: Bench) -> Samples:
        return _idle(bench, "idle.one", 1) | _idle(bench, "idle.fifty", MANY)

    return Group(
        "idle workers",
        (
            Metric("idle.one.statements", "1/s", "statements of one worker"),
            Metric("idle.one.cpu", "% of a core", "one worker", 1, less_is_better=True),
            Metric("idle.one.with_server", "% of a core", "one worker and the server"),
            Metric("idle.fifty.statements", "1/s", f"statements of {MANY} workers"),
            Metric("idle.fifty.cpu", "% of a core", f"{MANY} workers"),
            Metric(
                "idle.fifty.with_server",
                "% of a core",
                f"{MANY} workers and the server",
                5,
                less_is_better=True,
            ),
        ),
        {
            "seconds": SECONDS,
            "processes": [1, MANY],
            "worker": f"python {' '.join(command())}",
        },
        measure,
        most_rounds=1,
    )


def _idle(bench: Bench, name: str, workers: int) -> Samples:
    with (
        bench.server.fresh("idle") as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=1, processes=workers),
    ):
        wait_until_asleep(drain, workers)
        time.sleep(CALM_SECONDS)
        before, commits = drain.used(), _commits(drain)
        time.sleep(SECONDS)
        after, more = drain.used(), _commits(drain)
    seconds = (after.at_ns - before.at_ns) / 1e9
    own = 100 * (after.workers - before.workers) / seconds
    samples = {
        f"{name}.statements": (more - commits - OUR_COMMITS) / seconds,
        f"{name}.cpu": own,
    }
    if before.server is not None and after.server is not None:
        samples[f"{name}.with_server"] = own + 100 * (after.server - before.server) / seconds
    return samples


def _commits(drain: Drain) -> int:
    drain.connection.execute(COUNT_OURS)
    return int(single(drain.connection, COMMITS))
