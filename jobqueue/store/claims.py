"""Claiming: the statement that takes jobs for a worker, and what it is asked and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from jobqueue.store.statement import Statement, sql


class Claimed(NamedTuple):
    """A job as its worker needs it; `id` and `args` as PostgreSQL wrote them.

    run_at: since when it was due, in seconds since 1970 by the database's clock.
    timeout_seconds: the job's own; None: its task's.
    starts_at: of a job that was let through its limits: the moment from which it may start, as
        run_at, or 0 if that does not matter; None: it is not under any.
    expired: whether its deadline has passed; None: it has none, or has started before.
    """

    id: str
    task: str
    args: str
    attempt: int
    max_attempts: int
    queue: str
    lease: int
    priority: int
    run_at: float
    timeout_seconds: float | None = None
    starts_at: float | None = None
    expired: bool | None = None


Held = tuple[str, int]
"""A job's id and the lease it is held under. All jobs of a claim have one lease."""


class Stretch(NamedTuple):
    """A part of a queue in the order of its jobs: after one of them, up to a priority.

    after_run_at: in seconds since 1970.
    """

    after_priority: int
    after_run_at: float
    after_id: str
    to_priority: int


FIRST_ID = "00000000-0000-0000-0000-000000000000"
FROM_THE_START: Sequence[Stretch] = (Stretch(-(2**15), -inf, FIRST_ID, 2**15),)
NO_STRETCHES: Mapping[str, Sequence[Stretch]] = MappingProxyType({})


class Look(NamedTuple):
    """What a look for jobs came to.

    jobs: in the order to run them.
    walked: how many entries of the index the server went through, those of jobs that were claimed
        before and could not be cleaned away among them; None if the worker was refused.
    moment: when, in seconds since 1970 by the database's clock.
    """

    jobs: list[Claimed]
    walked: int | None
    moment: float


def look(rows: list[Claimed]) -> Look:
    """Read the answer of `claim`."""
    last = rows.pop()
    return Look(rows, last.lease, last.run_at)


def claim(
    worker_id: int,
    limits: Mapping[str, int],
    tasks: Sequence[str],
    stretches: Mapping[str, Sequence[Stretch]] = NO_STRETCHES,
) -> Statement[Claimed]:
    """Claim up to so many jobs of each queue. Read its answer with `look`.

    stretches: of each queue to look through, in ascending order; the whole queue if there are none.
    """
    looked_through = [stretches.get(queue, FROM_THE_START) for queue in limits]
    lasts = list(accumulate(map(len, looked_through)))
    firsts = [last - len(one) + 1 for one, last in zip(looked_through, lasts, strict=True)]
    columns = zip(*chain.from_iterable(looked_through), strict=True)
    priorities, run_ats, ids, ends = map(list, columns) if limits else ([], [], [], [])
    params = {
        "worker_id": worker_id,
        "queues": list(limits),
        "limits": list(limits.values()),
        "firsts": firsts,
        "lasts": lasts,
        "after_priority": priorities,
        "after_run_at": run_ats,
        "after_id": ids,
        "to_priority": ends,
        "tasks": tasks,
    }
    return Statement(sql("jobs/claim"), params, Claimed._make)
