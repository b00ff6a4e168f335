"""Draining jobs of a task that keeps no history: by one worker process, and by two."""

from __future__ import annotations

from benchmarks.draining import drain_backlog
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import command
from benchmarks.workload import note_run_and_forget


def no_history(options: Options) -> Group:
    """Completed jobs are deleted, and leave no row anywhere."""

    def measure(bench: Bench) -> Samples:
        one = drain_backlog(bench, note_run_and_forget, options.jobs)
        two = drain_backlog(bench, note_run_and_forget, 2 * options.jobs, processes=2)
        return {"drain.no_history.rate": one.rate, "drain.no_history.two.rate": two.rate}

    return Group(
        "drain without history",
        (
            Metric(
                "drain.no_history.rate", "jobs/s", "no-op async jobs, one worker process", 60_000
            ),
            Metric("drain.no_history.two.rate", "jobs/s", "the same, two worker processes"),
        ),
        {
            "jobs": [options.jobs, 2 * options.jobs],
            "processes": [1, 2],
            "worker": f"python {' '.join(command())}",
            "history": "not kept",
        },
        measure,
    )
