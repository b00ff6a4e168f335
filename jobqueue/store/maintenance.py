"""Statements of the leader, and of who is one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from jobqueue.store.statement import Statement, first, sql

LEADER_LOCK = 0x6A6F_6271_0001
"""Key of the session advisory lock that makes its holder the leader of this database."""


RESIGNED = "\x01the leader resigned"
"""Told to those who listen for queues; no queue can have this name."""


class LeaderRecord(NamedTuple):
    """Which worker leads, and since when."""

    worker: str
    since: datetime


class Candidacy(NamedTuple):
    """Whether nobody is the leader, and how many workers there are."""

    absent: bool
    workers: int


class Promoted(NamedTuple):
    """How many jobs were promoted, and the seconds until the next is due (None: none is)."""

    jobs: int
    next_seconds: float | None


class Expired(NamedTuple):
    """How many jobs expired, and the seconds until the next deadline (None: there is none)."""

    jobs: int
    next_seconds: float | None


class ToTrim(NamedTuple):
    """A day of history that is kept for some queues only.

    all_but: whether what goes is all but those queues, and not they.
    """

    partition: str
    pages: int
    queues: list[str]
    all_but: bool


class Rescued(NamedTuple):
    """A worker that was struck off, and what became of its jobs."""

    worker: str
    retried: int
    buried: int
    cancelled: int


def candidacy() -> Statement[Candidacy]:
    """Ask whether there is a leader, and how many could be. One row."""
    return Statement(sql("leader/candidacy"), {"key": LEADER_LOCK}, lambda row: Candidacy(*row))


def lock_leader() -> Statement[bool]:
    """Try to become the leader for the life of the session."""
    return Statement(sql("leader/lock"), {"key": LEADER_LOCK}, first)


def enter_leader(worker: str) -> Statement[Any]:
    """Note which worker leads, through the session that holds the lock."""
    return Statement(sql("leader/enter"), {"worker": worker}, first)


def resign_leader() -> Statement[Any]:
    """Give the lock up, and tell those who may take it."""
    return Statement(sql("leader/resign"), {"key": LEADER_LOCK, "word": RESIGNED}, first)


def listen_leader() -> Statement[Any]:
    """Hear which duty is to be seen to at once; a notification's payload is its name."""
    return Statement(sql("leader/listen"), {}, first)


def leader() -> Statement[LeaderRecord]:
    """Find who leads. No row: nobody does, or one of a release that does not say."""
    return Statement(
        sql("leader/show"), {"key": LEADER_LOCK}, lambda row: LeaderRecord(row[0], row[1])
    )


def promote(limit: int) -> Statement[Promoted]:
    """Make up to `limit` due jobs available."""
    return Statement(sql("jobs/promote"), {"limit": limit}, lambda row: Promoted(*row))


def expire(limit: int) -> Statement[Expired]:
    """Cancel up to `limit` jobs that have not started by their deadline."""
    return Statement(sql("jobs/expire"), {"limit": limit}, Expired._make)


def rescue() -> Statement[Rescued]:
    """Take back what workers with an expired lease held. One row a worker."""
    return Statement(sql("jobs/rescue"), {}, lambda row: Rescued(*row[:4]))


def end_transactions() -> Statement[bool]:
    """End the transactions of jobs whose workers were lost. One row a session."""
    return Statement(sql("workers/end_transactions"), {}, first)


def rescue_orphans() -> Statement[int]:
    """Make running jobs of vanished workers rescuable. One row a worker."""
    return Statement(sql("jobs/rescue_orphans"), {}, first)


def make_partitions() -> Statement[int]:
    """Make the history partitions of the coming days. The row is how many."""
    return Statement(sql("history/make_partitions"), {}, first)


def drop_partitions(days: int) -> Statement[int]:
    """Drop history older than `days`, and than any queue keeps. The row is how many partitions."""
    return Statement(sql("history/drop_partitions"), {"days": days}, first)


def history_to_trim(days: int) -> Statement[ToTrim]:
    """Find the days of history that some queues keep longer or shorter than `days`."""
    return Statement(sql("history/to_trim"), {"days": days}, ToTrim._make)


def trim_history(day: ToTrim, first_page: int, pages: int) -> Statement[int]:
    """Shorten some pages of a day. The row is how many jobs went."""
    params = {
        "partition": day.partition,
        "queues": day.queues,
        "all_but": day.all_but,
        "first_page": first_page,
        "pages": pages,
    }
    return Statement(sql("history/trim"), params, first)


def forget_expirations(days: int) -> Statement[str]:
    """Forget how many jobs expired more than `days` ago. One row a day and queue."""
    return Statement(sql("queues/forget_expirations"), {"days": days}, first)


def settle(limit: int) -> Statement[int]:
    """Decide about up to `limit` jobs whose keys were held. The row is how many were decided."""
    return Statement(sql("keys/settle"), {"limit": limit}, first)


def cancel_asked() -> Statement[int]:
    """Cancel jobs that wait again although they are to be cancelled. The row is how many."""
    return Statement(sql("jobs/cancel_asked"), {}, first)


def forget(processed_days: int, limit: int) -> Statement[int]:
    """Forget keys and processed ids whose time is over. The row is how many went."""
    return Statement(sql("keys/forget"), {"days": processed_days, "limit": limit}, first)
