"""Draining a backlog: one real worker process, and beside it the bare statements in a loop."""

from __future__ import annotations

from time import perf_counter

import psycopg

from benchmarks.draining import Drain, Drained, drain_backlog
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import QUEUE, MeasureError, command
from benchmarks.workload import note_run, note_run_in_thread
from jobqueue.store import claims, database, jobs, workers
from jobqueue.store.statement import run

RAW_BATCH = 500
# So many single jobs before a burst, half of them before a VACUUM ANALYZE: statements are prepared
# from the fifth execution, and planned anew after it.
WARM_UP = 20


def drain(options: Options) -> Group:
    """Async and plain functions through a worker, and the same statements with nothing around."""

    def measure(bench: Bench) -> Samples:
        on_loop = drain_backlog(bench, note_run, options.jobs)
        raw_rate = _by_raw_loop(bench, options.jobs)
        burst = _in_a_burst(bench, options.jobs)
        in_threads = drain_backlog(bench, note_run_in_thread, options.threaded_jobs)
        return {
            "drain.async.rate": on_loop.rate,
            "drain.burst.rate": burst.rate,
            "drain.threads.rate": in_threads.rate,
            "drain.raw.rate": raw_rate,
            "drain.async.of_raw": on_loop.rate / raw_rate,
            "worker.memory": on_loop.memory_mib,
        }

    return Group(
        "drain",
        (
            Metric("drain.async.rate", "jobs/s", "no-op async jobs, one worker process", 40_000),
            Metric("drain.burst.rate", "jobs/s", "the same, sent to a worker that idled", 40_000),
            Metric(
                "drain.threads.rate", "jobs/s", "no-op plain functions, one worker process", 8_000
            ),
            Metric("drain.raw.rate", "jobs/s", "bare claim and ack statements in a loop"),
            Metric("drain.async.of_raw", "x", "async drain / bare statements", 0.8),
            Metric(
                "worker.memory", "MiB", "peak of the worker, async drain", 80, less_is_better=True
            ),
        ),
        {
            "jobs": options.jobs,
            "threaded_jobs": options.threaded_jobs,
            "worker": f"python {' '.join(command())}",
            "processes": 1,
            "queue": QUEUE,
            "raw_batch": RAW_BATCH,
            "jobs_before_burst": WARM_UP,
            "history": "kept",
        },
        measure,
    )


def _in_a_burst(bench: Bench, count: int) -> Drained:
    """Drain jobs that find a worker there which has made its plans on an almost empty table."""
    with (
        bench.server.fresh("drain") as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=2 * (WARM_UP + count)),
    ):
        for number in range(WARM_UP):
            if number == WARM_UP // 2:
                # That is how a quiet queue looks after autovacuum has been there.
                drain.connection.execute("VACUUM ANALYZE jobqueue.jobs")
            drain.enqueue_one()
            drain.settle()
        drain.enqueue(count)
        drained = drain.finish()
        drain.check()
    return drained


def _by_raw_loop(bench: Bench, count: int) -> float:
    """Give jobs per second of the worker's own statements, one connection, nothing run."""
    with bench.server.fresh("raw") as url, psycopg.connect(url) as connection:
        note_run.enqueue_many(connection, [{"number": number} for number in range(count)])
        connection.commit()
        connection.autocommit = True
        execute = database.executor(connection)
        run(execute, database.session_settings("5s"))
        [worker_id] = run(
            execute,
            workers.register(
                name="raw", hostname="", pid=0, queues={"default": RAW_BATCH}, lease_seconds=3_600
            ),
        )
        left = count
        began = perf_counter()
        while claimed := claims.look(
            run(execute, claims.claim(worker_id, {"default": RAW_BATCH}, [note_run.name]))
        ).jobs:
            ids = f"{{{','.join(job.id for job in claimed)}}}"
            leases = f"{{{','.join(str(job.lease) for job in claimed)}}}"
            run_ms = f"{{{','.join(['0.001'] * len(claimed))}}}"
            stale = run(execute, jobs.ack_completed(ids, leases, run_ms))
            left -= len(claimed) - len(stale)
        seconds = perf_counter() - began
    if left:
        raise MeasureError(f"raw loop: {left} of {count} jobs not acknowledged")
    return count / seconds
