"""Statements that make a job's effects in the database happen once."""

from __future__ import annotations

from typing import Any, NamedTuple

from jobqueue.store.claims import Claimed
from jobqueue.store.statement import Statement, first, sql


class Begun(NamedTuple):
    """What the beginning of a job's transaction has found.

    processed: the effects were made by an earlier delivery.
    alone: no other delivery is in the middle of making them.
    held: the job is still under the lease it was claimed with.
    transaction: the server's number of the transaction.
    """

    processed: bool
    alone: bool
    held: bool
    transaction: str


class Done(NamedTuple):
    """What the end of a job's transaction has found.

    recorded: the completion is recorded.
    status: of the transaction that was begun: 'in progress' if it is still this one, else
        'committed' or 'aborted'.
    """

    recorded: bool
    status: str | None


def session() -> Statement[Any]:
    """Set up a session of the worker's own for the transactions of jobs."""
    return Statement(sql("processed/session"), {}, first)


def begin(job: Claimed) -> Statement[Begun]:
    """Begin to make the job's effects, in the transaction that makes them. One row."""
    params = {"job_id": job.id, "lease": job.lease}
    return Statement(sql("processed/begin"), params, lambda row: Begun(*row[:4]))


def complete(job: Claimed, transaction: str, run_seconds: float, *, keep: bool) -> Statement[Done]:
    """Complete the job under its lease, in the transaction that was begun. One row.

    keep: whether it is to be in the history.
    """
    params = {
        "job_id": job.id,
        "lease": job.lease,
        "transaction": transaction,
        "run_ms": run_seconds * 1000,
        "keep": keep,
    }
    return Statement(sql("processed/complete"), params, lambda row: Done(*row))


def keep_result(job: Claimed, result: str) -> Statement[str]:
    """Keep what a job returned after `complete` was committed. result: JSON as text.

    The row is its id; none if it is not there without a result.
    """
    params = {"job_id": job.id, "attempt": job.attempt, "result": result}
    return Statement(sql("processed/keep_result"), params, first)
