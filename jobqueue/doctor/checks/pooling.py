"""A pooler in transaction mode, and workers that do not go past it."""

from __future__ import annotations

from collections.abc import Iterator

from jobqueue.doctor.check import check
from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem
from jobqueue.store.database import executor
from jobqueue.store.statement import Statement, first, run, sql

# One look may miss it: on a busy pooler two connections meet different sessions by chance.
LOOKS = 5


@check(
    why="workers need sessions of their own, to listen and to lead; they do not start without",
    needs_schema=False,
)
def pooling(patient: Patient) -> Iterator[Problem]:
    """Look whether two connections share sessions, and whether some worker has its own."""
    processes = Statement(sql("workers/server_process"), {}, first)
    ones, others = set[int](), set[int]()
    with patient.connect() as other:
        for _ in range(LOOKS):
            # One after the other: side by side, a pooler has to give them different sessions.
            ones.update(run(executor(patient.connection), processes))
            others.update(run(executor(other), processes))
    if len(ones) == len(others) == 1 and not ones & others:
        return
    [listening] = patient.run(Statement(sql("doctor/listeners"), {}, first))
    if not listening:
        yield Problem(
            "the URL leads through a pooler in transaction mode, and no worker listens to the "
            "server itself",
            {"server_processes": sorted(ones | others), "workers_listening": listening},
            (
                "jobqueue worker MODULE:NAME --direct-url URL  # the server's own",
                "# or let the pooler keep sessions for this database: pool_mode=session",
            ),
        )
