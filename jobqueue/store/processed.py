"""Statements that make a job's effects in the database happen once."""

from __future__ import annotations

from jobqueue.store.jobs import Claimed
from jobqueue.store.statement import Statement, first, sql


def begin(job: Claimed) -> Statement[str]:
    """Note the job's id. No row: its effects were made before."""
    return Statement(sql("processed/begin"), {"job_id": job.id}, first)


def complete(job: Claimed, run_seconds: float) -> Statement[str]:
    """Complete the job under its lease. No row: the lease was lost."""
    params = {
        "job_id": job.id,
        "lease": job.lease,
        "run_ms": run_seconds * 1000,
    }
    return Statement(sql("processed/complete"), params, first)
