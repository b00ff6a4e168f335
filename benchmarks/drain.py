"""Draining a backlog: one real worker process, and beside it the bare statements in a loop."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.database import single
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.runs import RunLog
from benchmarks.worker_process import COMMAND, QUEUE, MeasureError, WorkerProcess, worker
from benchmarks.workload import note_run, note_run_in_thread
from jobqueue import Task
from jobqueue.store import database, jobs, workers
from jobqueue.store.statement import run

RAW_BATCH = 500
# So many single jobs before a burst, half of them before a VACUUM ANALYZE: statements are prepared
# from the fifth execution, and planned anew after it.
WARM_UP = 20
DEADLINE_SECONDS = 120.0

Connection = psycopg.Connection[Any]


def drain(options: Options) -> Group:
    """Async and plain functions through a worker, and the same statements with nothing around."""

    def measure(bench: Bench) -> Samples:
        loop_rate, memory = _by_worker(bench, note_run, options.jobs)
        raw_rate = _by_raw_loop(bench, options.jobs)
        burst_rate, _ = _by_worker(bench, note_run, options.jobs, warm_up=WARM_UP)
        thread_rate, _ = _by_worker(bench, note_run_in_thread, options.threaded_jobs)
        return {
            "drain.async.rate": loop_rate,
            "drain.burst.rate": burst_rate,
            "drain.threads.rate": thread_rate,
            "drain.raw.rate": raw_rate,
            "drain.async.of_raw": loop_rate / raw_rate,
            "worker.memory": memory,
        }

    return Group(
        "drain",
        (
            Metric("drain.async.rate", "jobs/s", "no-op async jobs, one worker process", 15_000),
            Metric("drain.burst.rate", "jobs/s", "the same, sent to a worker that idled", 15_000),
            Metric("drain.threads.rate", "jobs/s", "no-op plain functions, one worker process"),
            Metric("drain.raw.rate", "jobs/s", "bare claim and ack statements in a loop"),
            Metric("drain.async.of_raw", "x", "async drain / bare statements", 0.4),
            Metric(
                "worker.memory", "MiB", "peak of the worker, async drain", 100, less_is_better=True
            ),
        ),
        {
            "jobs": options.jobs,
            "threaded_jobs": options.threaded_jobs,
            "worker": f"python {' '.join(COMMAND)}",
            "processes": 1,
            "queue": QUEUE,
            "raw_batch": RAW_BATCH,
            "jobs_before_burst": WARM_UP,
            "history": "kept",
        },
        measure,
    )


def _by_worker(
    bench: Bench, task: Task[[int], Any], count: int, warm_up: int = 0
) -> tuple[float, float]:
    """Give jobs per second and the worker's peak memory in MiB.

    warm_up: 0 for a backlog that is there before the worker; otherwise the worker is there first,
    and has made its plans on an almost empty table with so many single jobs.
    The clock is the database's: from the first claim of the `count` jobs to a moment when another
    session has seen every job in history.
    """
    path = bench.folder / f"{task.name}.runs"
    total = warm_up + count
    log = RunLog.create(path, total * 2)
    with bench.server.fresh("drain") as url, psycopg.connect(url, autocommit=True) as connection:
        ids: set[UUID] = set()
        if not warm_up:
            ids |= _enqueue(connection, task, range(count))
        with worker(url, run_log=path) as process:
            if warm_up:
                ids |= _settle_in(connection, process, task)
                ids |= _enqueue(connection, task, range(warm_up, total))
            seconds = _wait_for_history(connection, process, log, warm_up, total)
            memory = process.peak_memory_mib()
        _check_once_each(connection, log, ids)
    log.close()
    path.unlink()
    return count / seconds, memory


def _enqueue(connection: Connection, task: Task[[int], Any], numbers: range) -> set[UUID]:
    with connection.transaction():
        items = [{"number": number} for number in numbers]
        return {enqueued.id for enqueued in task.enqueue_many(connection, items)}


def _settle_in(connection: Connection, process: WorkerProcess, task: Task[[int], Any]) -> set[UUID]:
    """Send the worker single jobs, with a VACUUM ANALYZE of the empty table between them.

    That is how a quiet queue looks after autovacuum has been there.
    """
    ids: set[UUID] = set()
    for number in range(WARM_UP):
        if number == WARM_UP // 2:
            connection.execute("VACUUM ANALYZE jobqueue.jobs")
        ids |= _run_single(connection, process, task, number)
    return ids


def _run_single(
    connection: Connection, process: WorkerProcess, task: Task[[int], Any], number: int
) -> set[UUID]:
    ids = _enqueue(connection, task, range(number, number + 1))
    process.wait_until(
        lambda: single(connection, "SELECT count(*) FROM jobqueue.job_history") == number + 1,
        what=f"single job {number}",
        seconds=DEADLINE_SECONDS,
    )
    return ids


def _wait_for_history(
    connection: Connection, process: WorkerProcess, log: RunLog, first: int, total: int
) -> float:
    """Give the seconds from the claim of job `first` or a later one until all are in history."""
    # The database is not asked before the last job has started: asking takes its time away.
    what = f"drain of {total - first:,} jobs"
    process.wait_until(lambda: log.has(total), what=what, seconds=DEADLINE_SECONDS)
    seconds = 0.0

    def all_in_history() -> bool:
        nonlocal seconds
        ended, first_claim, now = connection.execute(
            """
            SELECT count(*),
                   min(started_at) FILTER (WHERE (args->>'number')::integer >= %s),
                   clock_timestamp()
            FROM jobqueue.job_history
            """,
            [first],
        ).fetchone() or (0, None, None)
        if ended < total or first_claim is None or now is None:
            return False
        seconds = (now - first_claim).total_seconds()
        return True

    process.wait_until(all_in_history, what=f"{what}: last acks", seconds=DEADLINE_SECONDS)
    return seconds


def _check_once_each(connection: Connection, log: RunLog, ids: set[UUID]) -> None:
    """Raise MeasureError unless each job ran once and completed at its first attempt."""
    numbers = sorted(one.number for one in log.runs())
    if numbers != list(range(len(ids))):
        raise MeasureError(
            f"runs: {len(numbers)} of {len(set(numbers))} jobs, {len(ids)} enqueued; "
            "each should have run once"
        )
    completed = connection.execute(
        "SELECT id FROM jobqueue.job_history WHERE state = 'completed' AND attempt = 1"
    ).fetchall()
    rows = single(connection, "SELECT count(*) FROM jobqueue.all_jobs")
    if {row[0] for row in completed} != ids or not len(completed) == rows == len(ids):
        raise MeasureError(
            f"history: {len(completed)} completed at the first attempt, {rows} jobs in all, "
            f"{len(ids)} enqueued; the three should be equal"
        )


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
        while claimed := run(
            execute, jobs.claim(worker_id, {"default": RAW_BATCH}, [note_run.name])
        ):
            ids = f"{{{','.join(job.id for job in claimed)}}}"
            leases = f"{{{','.join(str(job.lease) for job in claimed)}}}"
            run_ms = f"{{{','.join(['0.001'] * len(claimed))}}}"
            stale = run(execute, jobs.ack_completed(ids, leases, run_ms))
            left -= len(claimed) - len(stale)
        seconds = perf_counter() - began
    if left:
        raise MeasureError(f"raw loop: {left} of {count} jobs not acknowledged")
    return count / seconds
