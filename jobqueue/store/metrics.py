"""Statements about what the leader samples and workers count, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from jobqueue.store.statement import Statement, first, sql

# The table of jobs is counted whole up to so many pages, or else only so many of them.
MOST_PAGES = 2_000
SAMPLED_PAGES = 800
# One by one, of all queues together.
MOST_COUNTED = 50_000
MOST_QUEUES = 1_000


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """One queue in numbers.

    available to oldest_seconds: as sampled, `age_seconds` ago. estimated: whether from a part of a
    large table. completed_per_second and after it: of the last five minutes; None: nothing ended.
    """

    queue: str
    available: int
    scheduled: int
    running: int
    gated: int
    blocked: int
    dead: int
    estimated: bool
    oldest_seconds: float | None
    workers: int
    completed_per_second: float
    failed_per_second: float
    first_failure_share: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    latency_p99_seconds: float | None
    age_seconds: float


@dataclass(frozen=True, slots=True)
class FleetMetrics:
    """The fleet in numbers. jobs_inserted and after it: as sampled; None: nobody has yet."""

    workers: int
    draining: int
    slots: int
    lost_slots: int
    jobs_inserted: int | None
    jobs_deleted: int | None
    dead_tuples: int | None
    oldest_transaction_seconds: float | None
    late_schedules: int | None
    schedule_late_seconds: float | None
    took_ms: float | None
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What a worker counted of one queue since it last told. latencies: by bucket."""

    queue: str
    completed: int
    failed: int
    dead: int
    first_attempts: int
    first_failures: int
    run_seconds: float
    latencies: Sequence[int]


def sample_queues(
    pages: int = MOST_PAGES,
    *,
    sampled_pages: int = SAMPLED_PAGES,
    jobs: int = MOST_COUNTED,
    queues: int = MOST_QUEUES,
) -> Statement[str]:
    """Note how deep each queue is. Rows are their names.

    pages: up to which the table of jobs is counted whole. sampled_pages: of a larger one.
    jobs: to be counted one by one in a large table, of all queues together.
    """
    params = {"pages": pages, "sampled_pages": sampled_pages, "jobs": jobs, "queues": queues}
    return Statement(sql("metrics/sample_queues"), params, first)


def sample_fleet(took_ms: float) -> Statement[Any]:
    """Note how tables, transactions and schedules are. took_ms: the sample of the queues."""
    return Statement(sql("metrics/sample_fleet"), {"took_ms": took_ms}, first)


def count(counts: Sequence[QueueCounts]) -> Statement[str]:
    """Add what a worker counted. Rows are the queues."""
    params: dict[str, Any] = {
        "queues": [one.queue for one in counts],
        "completed": [one.completed for one in counts],
        "failed": [one.failed for one in counts],
        "dead": [one.dead for one in counts],
        "first_attempts": [one.first_attempts for one in counts],
        "first_failures": [one.first_failures for one in counts],
        "run_seconds": [one.run_seconds for one in counts],
        "latencies": orjson.dumps([list(one.latencies) for one in counts]).decode(),
    }
    return Statement(sql("metrics/count"), params, first)


def forget_counts() -> Statement[int]:
    """Forget what was counted long ago. The row is how much."""
    return Statement(sql("metrics/forget_counts"), {}, first)


def queues() -> Statement[QueueMetrics]:
    """Give each queue in numbers, by name."""
    return Statement(sql("metrics/queues"), {}, lambda row: QueueMetrics(*row))


def fleet() -> Statement[FleetMetrics]:
    """Give the fleet in one row."""
    return Statement(sql("metrics/fleet"), {}, lambda row: FleetMetrics(*row))
