"""Bad conditions: the same drain and the same idle worker, beside everything that slows a queue."""

from __future__ import annotations

from benchmarks import conditions
from benchmarks.draining import Drain, Drained, drain_backlog
from benchmarks.latency import WARM_UP, one_at_a_time
from benchmarks.measure import (
    Bench,
    Group,
    Metric,
    Options,
    Samples,
    latency_metrics,
    percentiles,
)
from benchmarks.worker_process import QUEUE, command
from benchmarks.workload import note_run

QUEUES = [QUEUE, *(f"quiet_{number}=10" for number in range(1, conditions.QUIET_QUEUES + 1))]
IDLE_JOBS = 40
BLOCK = 50_000


def bad_conditions(options: Options) -> Group:
    """All at once, and beside it the same drain in a clean database."""

    def measure(bench: Bench) -> Samples:
        clean = drain_backlog(bench, note_run, options.jobs)
        runs = 2 * (options.jobs + WARM_UP + IDLE_JOBS)
        with (
            bench.server.filled("steady", lambda url: conditions.fill(url, options.backlog)) as url,
            conditions.open_transaction(url),
            Drain.on(url, note_run, bench.folder) as drain,
        ):
            drain.enqueue(options.jobs)
            with drain.workers(url, most_runs=runs, queues=QUEUES):
                beside = drain.finish()
                from_commit, _ = one_at_a_time(drain, IDLE_JOBS)
            drain.check()
        return {
            "steady.clean.rate": clean.rate,
            "steady.rate": beside.rate,
            "steady.ratio": beside.rate / clean.rate,
            **_cpu_ratio(clean, beside),
            **percentiles("steady.idle", from_commit),
        }

    return Group(
        "bad conditions",
        (
            Metric("steady.clean.rate", "jobs/s", "drain in a clean database"),
            Metric("steady.rate", "jobs/s", "drain beside backlog, history, old snapshot"),
            Metric("steady.ratio", "x", "the one beside them / the clean one", 0.8),
            Metric("steady.cpu_ratio", "x", "the same of processor time a job, with the server's"),
            *latency_metrics(
                "steady.idle", "idle beside them: COMMIT to user code", {"p50": 2, "p99": 10}
            ),
        ),
        {
            "jobs": options.jobs,
            "future_jobs": options.backlog,
            "history": options.backlog,
            "dead_letters": round(options.backlog * conditions.DEAD_LETTERS_PER_JOB),
            "queues": len(QUEUES),
            "idle_jobs": IDLE_JOBS,
            "snapshot": "held by another session all along",
            "autovacuum": "off for the table of jobs, which was never analyzed",
            "clean_worker": f"python {' '.join(command())}",
        },
        measure,
    )


def long_drain(options: Options) -> Group:
    """Block after block through one worker, with a transaction held open from before the first."""
    block = min(BLOCK, options.long_jobs // 4)

    def measure(bench: Bench) -> Samples:
        seconds: list[float] = []
        with (
            bench.server.fresh("long") as url,
            conditions.open_transaction(url),
            Drain.on(url, note_run, bench.folder) as drain,
            drain.workers(url, most_runs=2 * options.long_jobs),
        ):
            while drain.jobs < options.long_jobs:
                drain.enqueue(block)
                seconds.append(drain.finish().seconds)
            drain.check()
        start, end = 2 * block / sum(seconds[:2]), 2 * block / sum(seconds[-2:])
        return {
            "steady.million.first": start,
            "steady.million.last": end,
            "steady.million.ratio": end / start,
        }

    return Group(
        "long drain beside an open transaction",
        (
            Metric("steady.million.first", "jobs/s", f"the first {2 * block:,}"),
            Metric("steady.million.last", "jobs/s", f"the last {2 * block:,}"),
            Metric("steady.million.ratio", "x", "last / first", 0.8),
        ),
        {
            "jobs": options.long_jobs,
            "jobs_in_a_block": block,
            "worker": f"python {' '.join(command())}",
            "snapshot": "held by another session all along",
        },
        measure,
        most_rounds=1,
    )


def _cpu_ratio(clean: Drained, beside: Drained) -> Samples:
    """Give what a busy machine distorts least; nothing if the server's share is not known."""
    times = [clean.worker_us, clean.server_us, beside.worker_us, beside.server_us]
    known = [microseconds for microseconds in times if microseconds is not None]
    if len(known) < len(times):
        return {}
    return {"steady.cpu_ratio": sum(known[:2]) / sum(known[2:])}
