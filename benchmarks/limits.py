"""Limits: keys that drain, a rate that several workers share, and what a full key costs others."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.database import single
from benchmarks.draining import Drain
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import MeasureError, command
from benchmarks.workload import KEYS, RATE, note_run, note_run_at_a_rate, note_run_by_key

JOBS = 30_000
WAITING = 100_000
FREE_JOBS = 20_000
RATE_SECONDS = 6
PROCESSES = 4
RATE_QUEUE = "default=50"


def limits(_: Options) -> Group:
    """Concurrency keys, a shared rate, and a full key beside other jobs."""

    def measure(bench: Bench) -> Samples:
        with_none, with_full = _beside(bench, 0), _beside(bench, WAITING)
        used, most = _rate(bench)
        return {
            "limits.keys": _keys(bench),
            "limits.beside": with_full / with_none,
            "limits.rate.used": used,
            "limits.rate.most": most,
        }

    return Group(
        "limits",
        (
            Metric("limits.keys", "jobs/s", f"{KEYS:,} keys of one job at once", 5_000),
            Metric(
                "limits.beside",
                "x",
                f"drain of other jobs beside a full key with {WAITING:,} waiting / without",
                0.95,
            ),
            Metric(
                "limits.rate.used",
                "%",
                f"{RATE:,} starts a second, {PROCESSES} worker processes: used",
                95,
            ),
            Metric(
                "limits.rate.most",
                "%",
                "the same: most starts in any second",
                100.01,
                less_is_better=True,
            ),
        ),
        {
            "jobs": JOBS,
            "keys": KEYS,
            "waiting": WAITING,
            "processes": PROCESSES,
            "worker": f"python {' '.join(command())}",
        },
        measure,
        most_rounds=3,
    )


def _keys(bench: Bench) -> float:
    with (
        bench.server.fresh("limits") as url,
        Drain.on(url, note_run_by_key, bench.folder, keys=KEYS) as drain,
    ):
        drain.enqueue(JOBS)
        with drain.workers(url, most_runs=JOBS):
            drained = drain.finish()
        drain.check()
    return drained.rate


def _beside(bench: Bench, waiting: int) -> float:
    with bench.server.fresh("limits") as url, Drain.on(url, note_run, bench.folder) as drain:
        connection = drain.connection
        if waiting:
            # One of its jobs is held by somebody, so that none of the others goes.
            connection.execute(
                "INSERT INTO jobqueue.limits (name, kind, amount) VALUES ('full', 'concurrency', 1)"
            )
            connection.execute(
                "INSERT INTO jobqueue.jobs (id, run_at, enqueued_at, priority, max_attempts, state,"
                " queue, task, args, concurrency, concurrency_key, holds)"
                " SELECT jobqueue.uuid_v7(), now(), now(), 1, 5,"
                " CASE WHEN n = 0 THEN 'blocked' ELSE 'gated' END, 'default', 'note_run', '{}',"
                " 'full', 'key', CASE WHEN n = 0 THEN true END FROM generate_series(0, %s::int) n",
                [waiting],
            )
            connection.execute("VACUUM ANALYZE jobqueue.jobs")
        drain.enqueue(FREE_JOBS)
        with drain.workers(url, most_runs=FREE_JOBS):
            return drain.finish().rate


def _rate(bench: Bench) -> tuple[float, float]:
    count = RATE * RATE_SECONDS
    with (
        bench.server.fresh("limits") as url,
        Drain.on(url, note_run_at_a_rate, bench.folder) as drain,
    ):
        drain.enqueue(count)
        with drain.workers(url, most_runs=count, processes=PROCESSES, queues=(RATE_QUEUE,)):
            drain.settle()
        if single(drain.connection, "SELECT count(*) FROM jobqueue.job_history") != count:
            raise MeasureError("rate: not every job ran once")
        starts = sorted(moment for one in drain.starts() for moment in one.values())
    # Without the first second, in which the workers come to be at work one by one.
    inner = [moment for moment in starts if moment > starts[0] + 10**9]
    used = (len(inner) - 1) / ((inner[-1] - inner[0]) / 1e9)
    return used / RATE * 100, most_in_a_second(starts) / RATE * 100


def most_in_a_second(starts: Sequence[int]) -> int:
    """Give the most starts, in ascending ns, in any half-open second."""
    most = first = 0
    for last, moment in enumerate(starts):
        while moment - starts[first] >= 10**9:
            first += 1
        most = max(most, last - first + 1)
    return most
