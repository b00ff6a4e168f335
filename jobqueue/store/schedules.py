"""Statements about schedules: what people and code do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from jobqueue.core.schedules.definition import Definition
from jobqueue.core.schedules.rule import Rule
from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """A schedule, and how it is doing. Moments are aware.

    overdue_seconds: how long its next tick has passed. last_late_seconds: how long after its time
    the last tick was decided about. failures: dead jobs since the last success. task_known: whether
    a live worker has its task.
    """

    name: str
    task: str
    args: dict[str, Any]
    queue: str | None
    priority: int | None
    max_attempts: int | None
    cron: str | None
    every_seconds: int | None
    at: datetime | None
    timezone: str
    anchor: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    jitter_seconds: int
    max_runs: int | None
    missed: str
    missed_limit: int
    missed_after_seconds: float
    overlap: str
    remove_when_done: bool
    source: str
    application: str | None
    state: str
    problem: str | None
    created_at: datetime
    counts_from: datetime
    next_at: datetime | None
    overdue_seconds: float | None
    runs: int
    last_tick_at: datetime | None
    last_state: str | None
    last_job_id: UUID | None
    last_late_seconds: float | None
    last_success_at: datetime | None
    failures: int
    task_known: bool


@dataclass(frozen=True, slots=True)
class TickRecord:
    """What became of a tick. late_seconds: how long after its time it was decided about."""

    tick_at: datetime
    state: str
    catch_up: bool
    by_hand: bool
    job_id: UUID | None
    decided_at: datetime
    late_seconds: float
    finished_at: datetime | None


class Kept(NamedTuple):
    """A definition as it is kept. now: by the database's clock."""

    id: int
    now: datetime
    definition: Definition


class Placed(NamedTuple):
    """What was done with code's schedule: `placed`, `changed`, `kept`, or who made it by hand.

    before: the application that had declared it.
    """

    name: str
    outcome: str
    before: str | None


def as_json(definition: Definition) -> dict[str, Any]:
    """Give a definition by the names of the columns."""
    rule = definition.rule
    return {
        "name": definition.name,
        "task": definition.task,
        "args": orjson.Fragment(definition.args),
        "queue": definition.queue,
        "priority": definition.priority,
        "max_attempts": definition.max_attempts,
        "cron": rule.cron,
        "every_seconds": rule.every_seconds,
        "at": rule.at,
        "timezone": rule.timezone,
        "anchor": rule.anchor,
        "starts_at": rule.starts_at,
        "ends_at": rule.ends_at,
        "jitter_seconds": definition.jitter_seconds,
        "max_runs": definition.max_runs,
        "missed": definition.missed,
        "missed_limit": definition.missed_limit,
        "missed_after_seconds": definition.missed_after_seconds,
        "overlap": definition.overlap,
        "remove_when_done": definition.remove_when_done,
    }


def in_utc(row: tuple[Any, ...]) -> list[Any]:
    """Give a row with its moments in UTC: in a zone with changing clocks no arithmetic is right."""
    return [one.astimezone(UTC) if isinstance(one, datetime) else one for one in row]


def to_json(value: object) -> str:
    """Write JSON; moments may be of a class of the application's own."""
    return orjson.dumps(value, default=_moment).decode()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__}: nothing that JSON has")


def place(application: str, schedules: Sequence[Definition]) -> Statement[Placed]:
    """Put the schedules of an application's code in place. One row each."""
    given = to_json([as_json(one) for one in schedules])
    params = {"application": application, "schedules": given}
    return Statement(sql("schedules/place"), params, lambda row: Placed(*row))


def drop(application: str, names: Sequence[str]) -> Statement[str]:
    """Drop the schedules that an application's code made, but for `names`. Rows are their names."""
    params = {"application": application, "names": list(names)}
    return Statement(sql("schedules/drop"), params, first)


def add(definition: Definition) -> Statement[int]:
    """Make a schedule by hand. No row: there is one of that name."""
    return Statement(sql("schedules/add"), {"schedule": to_json(as_json(definition))}, first)


def update(definition: Definition, was: Definition) -> Statement[int]:
    """Change a schedule. No row: it is not as it `was`, for somebody else has changed it."""
    params = {"schedule": to_json(as_json(definition)), "was": to_json(as_json(was))}
    return Statement(sql("schedules/update"), params, first)


def definition(name: str) -> Statement[Kept]:
    """Find what was said of one schedule."""
    return Statement(sql("schedules/definition"), {"name": name}, _kept)


def _kept(row: tuple[Any, ...]) -> Kept:
    schedule_id, now, name, task, args, queue, priority, max_attempts, *rest = in_utc(row)
    cron, every_seconds, at, timezone, anchor, starts_at, ends_at, *options = rest
    rule = Rule(cron, every_seconds, at, timezone, anchor, starts_at, ends_at)
    kept = Definition(name, task, rule, args, queue, priority, max_attempts, *options)
    return Kept(schedule_id, now, kept)


def list_schedules(
    *, name: str | None = None, state: str | None = None
) -> Statement[ScheduleRecord]:
    """Find schedules by name, those that fit every filter that is not None."""
    params = {"name": name, "state": state}
    return Statement(sql("schedules/list"), params, lambda row: ScheduleRecord(*row))


def ticks(name: str, *, limit: int) -> Statement[TickRecord]:
    """Find the latest ticks of a schedule, the newest first."""
    params = {"name": name, "limit": limit}
    return Statement(sql("schedules/ticks"), params, lambda row: TickRecord(*row))


def pause(name: str) -> Statement[str]:
    """Pause a schedule. The row is the state it was in."""
    return _set_state(name, "paused", ["active", "broken"])


def resume(name: str) -> Statement[str]:
    """Let a paused or dropped schedule go on. The row is the state it was in."""
    return _set_state(name, "active", ["paused", "dropped", "broken"])


def _set_state(name: str, state: str, before: list[str]) -> Statement[str]:
    params = {"name": name, "state": state, "from": before}
    return Statement(sql("schedules/set_state"), params, first)


def remove(name: str) -> Statement[str]:
    """Remove a schedule. The row is who made it."""
    return Statement(sql("schedules/remove"), {"name": name}, first)


def run_now(name: str) -> Statement[UUID]:
    """Enqueue a job of a schedule now. The row is the job's id."""
    return Statement(sql("schedules/run_now"), {"name": name}, lambda row: UUID(row[0]))


def backfill(schedule_id: int, moments: Sequence[datetime]) -> Statement[int]:
    """Enqueue the jobs of past ticks that had none. The row is how many."""
    params = {"schedule_id": schedule_id, "ticks": list(moments)}
    return Statement(sql("schedules/backfill"), params, first)
