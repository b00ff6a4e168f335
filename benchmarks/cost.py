"""What a job costs beside time on the clock: processor, write-ahead log, room in tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.draining import Drain, Drained
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import command
from benchmarks.workload import note_run, note_run_and_forget
from jobqueue import Task

FOOTPRINT = b"""
    SELECT pg_current_wal_insert_lsn() - '0/0', (SELECT redo_lsn FROM pg_control_checkpoint()),
           (SELECT sum(pg_total_relation_size(part.relid))
            FROM pg_partition_tree('jobqueue.job_history') AS part),
           pg_total_relation_size('jobqueue.jobs')
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is there at a moment, in bytes. checkpoint: which one was the last."""

    wal: int
    checkpoint: str
    history: int
    jobs: int

    @classmethod
    def of(cls, connection: psycopg.Connection[Any]) -> Footprint:
        """Look at the server and the database of `connection`."""
        wal, checkpoint, history, jobs = connection.execute(FOOTPRINT).fetchone() or (0, "", 0, 0)
        return cls(int(wal), checkpoint, int(history), int(jobs))


def cost(options: Options) -> Group:
    """From enqueue to history; and the same of a task that keeps none."""

    def measure(bench: Bench) -> Samples:
        kept = _of_a_job(bench, note_run, options.jobs)
        forgotten = _of_a_job(bench, note_run_and_forget, options.jobs)
        del forgotten["history_bytes"]
        return {
            **{f"cost.{name}": value for name, value in kept.items()},
            **{f"cost.no_history.{name}": value for name, value in forgotten.items()},
        }

    def metric(name: str, unit: str, meaning: str, target: float | None = None) -> Metric:
        return Metric(f"cost.{name}", f"{unit}/job", meaning, target, less_is_better=True)

    return Group(
        "cost of a job",
        (
            metric("worker_cpu", "µs", "processor, worker"),
            metric("server_cpu", "µs", "processor, server, of the drain"),
            metric("wal_bytes", "B", "write-ahead log, from enqueue to history", 1_200),
            metric("history_bytes", "B", "left in history, with its index"),
            metric("jobs_bytes", "B", "left in the table of jobs, to be used again"),
            metric("no_history.worker_cpu", "µs", "without history: processor, worker"),
            metric("no_history.server_cpu", "µs", "without history: processor, server"),
            metric("no_history.wal_bytes", "B", "without history: write-ahead log"),
            metric("no_history.jobs_bytes", "B", "without history: left in the table of jobs"),
        ),
        {
            "jobs": options.jobs,
            "enqueued_by": "enqueue_many, one transaction",
            "processes": 1,
            "worker": f"python {' '.join(command())}",
        },
        measure,
    )


def _of_a_job(bench: Bench, task: Task[[int], Any], count: int) -> Samples:
    with bench.server.fresh("cost") as url, Drain.on(url, task, bench.folder) as drain:
        before = Footprint.of(drain.connection)
        drain.enqueue(count)
        with drain.workers(url, most_runs=2 * count):
            drained = drain.finish()
            after = Footprint.of(drain.connection)
        drain.check()
    samples = {
        "history_bytes": (after.history - before.history) / count,
        "jobs_bytes": (after.jobs - before.jobs) / count,
        **_processor(drained),
    }
    # After a checkpoint the log has each page whole once more, which is no job's doing.
    if before.checkpoint == after.checkpoint:
        samples["wal_bytes"] = (after.wal - before.wal) / count
    return samples


def _processor(drained: Drained) -> Samples:
    known = {"worker_cpu": drained.worker_us, "server_cpu": drained.server_us}
    return {name: value for name, value in known.items() if value is not None}
