"""Draining jobs whose tasks run in child processes of one worker."""

from __future__ import annotations

from benchmarks.draining import drain_backlog
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import command
from benchmarks.workload import note_run_in_process, spin_in_process

SPINNING_JOBS = 400


def pools(options: Options) -> Group:
    """What a process costs a job, and what a second one is worth to jobs that compute."""

    def measure(bench: Bench) -> Samples:
        in_processes = drain_backlog(bench, note_run_in_process, options.threaded_jobs)
        one, two = (
            drain_backlog(bench, spin_in_process, SPINNING_JOBS, options=_children(count))
            for count in (1, 2)
        )
        return {
            "pools.processes.rate": in_processes.rate,
            "pools.computing.one.rate": one.rate,
            "pools.computing.two_of_one": two.rate / one.rate,
        }

    return Group(
        "pools",
        (
            Metric("pools.processes.rate", "jobs/s", "no-op jobs in child processes", 3_000),
            Metric("pools.computing.one.rate", "jobs/s", "10 ms of computing, one child process"),
            Metric("pools.computing.two_of_one", "x", "two child processes / one", 1.8),
        ),
        {
            "jobs": [options.threaded_jobs, SPINNING_JOBS],
            "processes": 1,
            "worker": f"python {' '.join(command())}",
            "history": "kept",
        },
        measure,
    )


def _children(count: int) -> list[str]:
    return ["--pool-processes", str(count)]
