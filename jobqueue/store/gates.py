"""Statements about limits, and the gates at which jobs wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from jobqueue.core.limits import AHEAD_SECONDS, SLACK_SECONDS, FlowKeys
from jobqueue.core.options import EnqueueOptions, Keys
from jobqueue.store.claims import Held
from jobqueue.store.jobs import Enqueued, enqueued, option_params
from jobqueue.store.statement import Statement, first, sql

MOST_ADMITTED = 1_000
"""Jobs of one limit that one admission lets through at most."""


class Admitted(NamedTuple):
    """What an admission let through, and the seconds until another is worth it.

    pause: None: until a call; infinite: until there is a limit.
    """

    jobs: int
    queues: list[str]
    pause: float | None


class LimitRecord(NamedTuple):
    """A limit, and how it stands: jobs that wait at its gates, and that it holds itself to."""

    name: str
    kind: str
    amount: int | None
    per_seconds: float | None
    burst: int
    ordered: bool
    fair: bool
    weights: dict[str, int]
    held_until: datetime | None
    removed: bool
    waiting: int
    holding: int


def enqueue(
    task: str,
    args: str,
    options: EnqueueOptions,
    keys: Sequence[Keys],
    flow_keys: Sequence[FlowKeys],
) -> Statement[Enqueued]:
    """Enqueue jobs under limits. args: a JSON array of objects as text.

    keys: of each job, if any. flow_keys: of each job under its limits.
    """
    flow = options.flow
    assert flow is not None  # noqa: S101 - others are enqueued otherwise
    params = option_params(options) | {
        "task": task,
        "args": args,
        "ids": None if options.job_id is None else [str(options.job_id)],
        "idempotency_keys": _given([one for one, _ in keys]),
        "unique_keys": _given([one for _, one in keys]),
        "concurrency": flow.concurrency,
        "concurrency_keys": [one for one, _ in flow_keys],
        "rate": flow.rate,
        "rate_keys": [one for _, one in flow_keys],
        "weight": flow.weight,
    }
    return Statement(sql("gates/enqueue"), params, enqueued)


def _given(keys: list[str | None]) -> list[str | None] | None:
    return keys if any(one is not None for one in keys) else None


def admit() -> Statement[Admitted]:
    """Let through whatever may go. One row."""
    params = {"slack": SLACK_SECONDS, "ahead": AHEAD_SECONDS, "most": MOST_ADMITTED}
    return Statement(sql("gates/admit"), params, Admitted._make)


def renew_moments(jobs: Sequence[Held]) -> Statement[tuple[str, float]]:
    """Give jobs other moments, which came too late for theirs.

    Rows: the id, and the moment (0: any) in seconds since 1970; none for one that is to go back.
    """
    params = {
        "ids": [job_id for job_id, _ in jobs],
        "leases": [lease for _, lease in jobs],
        "slack": SLACK_SECONDS,
        "ahead": AHEAD_SECONDS,
    }
    return Statement(sql("gates/renew_moments"), params, lambda row: (row[0], row[1]))


def put_under(outcomes: str) -> Statement[str]:
    """Send claimed jobs under limits to their gates. outcomes: JSON. Rows: the stale ids."""
    return Statement(sql("gates/put_under"), {"outcomes": outcomes}, first)


def hold_of_job(job_id: str, seconds: float) -> Statement[Any]:
    """Hold the rate of a job, or its key there, for so long."""
    return Statement(sql("gates/hold_of_job"), {"id": job_id, "seconds": seconds}, first)


def place(rules: Sequence[Mapping[str, Any]]) -> Statement[tuple[str, str]]:
    """Enter limits that code declares. Rows: the name, and what became of it."""
    params = {"rules": orjson.dumps(rules).decode()}
    return Statement(sql("limits/place"), params, lambda row: (row[0], row[1]))


def name_limits(names: Sequence[str]) -> Statement[str]:
    """Enter limits that are named only, so that everybody passes. Rows: those that were unknown."""
    return Statement(sql("limits/name"), {"names": list(names)}, first)


def list_limits() -> Statement[LimitRecord]:
    """Find every limit."""
    return Statement(sql("limits/list"), {}, LimitRecord._make)


def set_limit(rule: Mapping[str, Any]) -> Statement[str]:
    """Set a limit by hand. The row: its name; none if one of the other kind has it."""
    return Statement(sql("limits/set"), {"rule": orjson.dumps(rule).decode()}, first)


def remove_limit(name: str) -> Statement[str]:
    """Let everybody pass. No row: there is none."""
    return Statement(sql("limits/remove"), {"name": name}, first)


def hold(name: str, seconds: float, key: str | None) -> Statement[datetime | None]:
    """Let nothing through for so long. The row: until when; None: there is no such limit."""
    return Statement(sql("limits/hold"), {"name": name, "seconds": seconds, "key": key}, first)


def release(name: str) -> Statement[bool]:
    """End the holds of a limit. The row: whether there is one."""
    return Statement(sql("limits/release"), {"name": name}, first)


def prune_rates(limit: int) -> Statement[int]:
    """Forget keys of rates that are as good as new. The row: how many."""
    return Statement(sql("limits/prune"), {"slack": SLACK_SECONDS, "limit": limit}, first)


def limited_queues(queues: Sequence[str]) -> Statement[str]:
    """Name those of `queues` of which only so many jobs run at once, over all workers."""
    return Statement(sql("limits/limited_queues"), {"queues": list(queues)}, first)


def share_places(worker_id: int, queue: str, running: int, most: int) -> Statement[int | None]:
    """Give a worker its places of a limited queue. None: it has no limit any more."""
    params = {"worker_id": worker_id, "queue": queue, "running": running, "most": most}
    return Statement(sql("limits/share_places"), params, first)


def set_queue_limit(queue: str, amount: int | None) -> Statement[str]:
    """Limit how many jobs of a queue run at once, over all workers. The row: its name."""
    return Statement(sql("limits/set_queue"), {"queue": queue, "amount": amount}, first)
