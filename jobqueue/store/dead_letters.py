"""Statements about dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from jobqueue.store.jobs import JobRecord, record
from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters; None: any. died_before: aware."""

    queue: str | None = None
    task: str | None = None
    died_before: datetime | None = None


def list_dead(which: Filter, *, limit: int) -> Statement[JobRecord]:
    """Find the newest dead letters."""
    return Statement(sql("dead_letters/list"), {**asdict(which), "limit": limit}, record)


def edit(job_id: UUID, args: str) -> Statement[str]:
    """Give a dead letter other arguments, a JSON object as text. No row: it was not there."""
    return Statement(sql("dead_letters/edit"), {"id": str(job_id), "args": args}, first)


def redrive(ids: Sequence[UUID]) -> Statement[str]:
    """Put dead letters back. Rows are the ids that were there."""
    return Statement(sql("dead_letters/redrive"), {"ids": [str(one) for one in ids]}, first)


def redrive_matching(which: Filter, *, limit: int) -> Statement[str]:
    """Put the oldest dead letters back. Rows are their ids."""
    return Statement(sql("dead_letters/redrive_matching"), {**asdict(which), "limit": limit}, first)


def purge(ids: Sequence[UUID]) -> Statement[str]:
    """Delete dead letters for good. Rows are the ids that were there."""
    return Statement(sql("dead_letters/purge"), {"ids": [str(one) for one in ids]}, first)


def purge_matching(which: Filter, *, limit: int) -> Statement[str]:
    """Delete the oldest dead letters for good. Rows are their ids."""
    return Statement(sql("dead_letters/purge_matching"), {**asdict(which), "limit": limit}, first)
