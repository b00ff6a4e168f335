"""Draining one backlog by two worker processes."""

from __future__ import annotations

from benchmarks.draining import drain_backlog
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import command
from benchmarks.workload import note_run


def two_workers(options: Options) -> Group:
    """Both are started at once; the clock runs from when both are at work."""

    def measure(bench: Bench) -> Samples:
        drained = drain_backlog(bench, note_run, 2 * options.jobs, processes=2)
        return {"drain.two.rate": drained.rate, "drain.two.memory": drained.memory_mib}

    return Group(
        "drain by two",
        (
            Metric("drain.two.rate", "jobs/s", "no-op async jobs, two worker processes"),
            Metric("drain.two.memory", "MiB", "peak of both workers", less_is_better=True),
        ),
        {
            "jobs": 2 * options.jobs,
            "processes": 2,
            "worker": f"python {' '.join(command())}",
            "history": "kept",
        },
        measure,
    )
