"""Claiming: the statement that takes jobs for a worker, and what it is asked and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from jobqueue.store.statement import Statement, sql


class More(NamedTuple):
    """What few jobs have.

    timeout_seconds: the job's own; None: its task's.
    starts_at: of a job that was let through its limits: the moment from which it may start, in
        seconds since 1970 by the database's clock, or 0 if that does not matter; None: it is not
        under any.
    expired: whether its deadline has passed; None: it has none, or has started before.
    """

    timeout_seconds: float | None = None
    starts_at: float | None = None
    expired: bool | None = None


class Claimed(NamedTuple):
    """A job as its worker needs it; `id` and `args` as PostgreSQL wrote them.

    run_at: since when it was due, in seconds since 1970 by the database's clock.
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
    more: More | None = None

    @property
    def timeout_seconds(self) -> float | None:
        """How long an attempt of it may take; None: as its task says."""
        return None if self.more is None else self.more.timeout_seconds

    @property
    def starts_at(self) -> float | None:
        """From which moment it may start; see More."""
        return None if self.more is None else self.more.starts_at


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
    for number, row in enumerate(rows):
        text: Any = row.more
        if text is not None:
            rows[number] = row._replace(more=More(*orjson.loads(text)))
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
