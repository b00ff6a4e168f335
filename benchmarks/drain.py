"""Draining a backlog: one real worker process, and beside it the bare statements in a loop."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import psycopg

from benchmarks.database import single
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.runs import RunLog
from benchmarks.worker_process import COMMAND, QUEUE, MeasureError, WorkerProcess, worker
from benchmarks.workload import note_run, note_run_in_thread
from jobqueue import Task
from jobqueue.store import database, jobs
from jobqueue.store.statement import run

RAW_BATCH = 500
DEADLINE_SECONDS = 120.0

Connection = psycopg.Connection[Any]


def drain(options: Options) -> Group:
    """Async and plain functions through a worker, and the same statements with nothing around."""

    def measure(bench: Bench) -> Samples:
        loop_rate, memory = _by_worker(bench, note_run, options.jobs)
        raw_rate = _by_raw_loop(bench, options.jobs)
        thread_rate, _ = _by_worker(bench, note_run_in_thread, options.threaded_jobs)
        return {
            "drain.async.rate": loop_rate,
            "drain.threads.rate": thread_rate,
            "drain.raw.rate": raw_rate,
            "drain.async.of_raw": loop_rate / raw_rate,
            "worker.memory": memory,
        }

    return Group(
        "drain",
        (
            Metric("drain.async.rate", "jobs/s", "no-op async jobs, one worker process", 15_000),
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
            "history": "kept",
        },
        measure,
    )


def _by_worker(bench: Bench, task: Task[[int], Any], count: int) -> tuple[float, float]:
    """Give jobs per second and the worker's peak memory in MiB.

    The clock is the database's: from the first claim to a moment when another session has seen
    every job in history.
    """
    path = bench.folder / f"{task.name}.runs"
    log = RunLog.create(path, count * 2)
    with bench.server.fresh("drain") as url, psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            items = [{"number": number} for number in range(count)]
            ids = {enqueued.id for enqueued in task.enqueue_many(connection, items)}
        with worker(url, run_log=path) as process:
            seconds = _wait_for_history(connection, process, log, count)
            memory = process.peak_memory_mib()
        _check_once_each(connection, log, ids)
    log.close()
    path.unlink()
    return count / seconds, memory


def _wait_for_history(
    connection: Connection, process: WorkerProcess, log: RunLog, count: int
) -> float:
    # The database is not asked before the last job has started: asking takes its time away.
    what = f"drain of {count:,} jobs"
    process.wait_until(lambda: log.has(count), what=what, seconds=DEADLINE_SECONDS)
    seconds = 0.0

    def all_in_history() -> bool:
        nonlocal seconds
        ended, first_claim, now = connection.execute(
            "SELECT count(*), min(started_at), clock_timestamp() FROM jobqueue.job_history"
        ).fetchone() or (0, None, None)
        if ended < count or first_claim is None or now is None:
            return False
        seconds = (now - first_claim).total_seconds()
        return True

    process.wait_until(all_in_history, what=f"{what}: last acks", seconds=DEADLINE_SECONDS)
    return seconds


def _check_once_each(connection: Connection, log: RunLog, ids: set[Any]) -> None:
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
        left, worker_id = count, 1
        began = perf_counter()
        while claimed := run(
            execute, jobs.claim(worker_id, {"default": RAW_BATCH}, [note_run.name])
        ):
            ids = f"{{{','.join(job.id for job in claimed)}}}"
            attempts = f"{{{','.join(['1'] * len(claimed))}}}"
            run_ms = f"{{{','.join(['0.001'] * len(claimed))}}}"
            stale = run(execute, jobs.ack_completed(worker_id, ids, attempts, run_ms))
            left -= len(claimed) - len(stale)
        seconds = perf_counter() - began
    if left:
        raise MeasureError(f"raw loop: {left} of {count} jobs not acknowledged")
    return count / seconds
