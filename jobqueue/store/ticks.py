"""Statements by which the leader carries schedules out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from jobqueue.core.schedules.plan import Due, Plan
from jobqueue.core.schedules.rule import Rule
from jobqueue.store.maintenance import LEADER_LOCK
from jobqueue.store.schedules import in_utc, to_json
from jobqueue.store.statement import Statement, first, sql


class Found(NamedTuple):
    """A schedule that is due, and the time by the database's clock."""

    due: Due
    now: datetime


class Concluded(NamedTuple):
    """How many open ticks were looked at, and the last of them."""

    ticks: int
    last_id: int | None
    last_at: datetime | None


FIRST = (0, "-infinity")
"""Before every tick."""


def due(limit: int) -> Statement[Found]:
    """Find schedules whose next tick is due, and up to `limit` that have none planned yet."""
    return Statement(sql("schedules/due"), {"limit": limit, "key": LEADER_LOCK}, _found)


def _found(row: tuple[Any, ...]) -> Found:
    schedule_id, revision, *when, now = in_utc(row)
    cron, every_seconds, at, timezone, anchor, starts_at, ends_at, *about = when
    rule = Rule(cron, every_seconds, at, timezone, anchor, starts_at, ends_at)
    return Found(Due(schedule_id, revision, rule, *about), now)


def advance(plans: Mapping[Due, Plan | str]) -> Statement[int]:
    """Carry out what was planned. The row is how many schedules were advanced.

    plans: of each schedule, or the reason why its rule cannot be used.
    """
    written = [_written(due, plan) for due, plan in plans.items()]
    params = {"plans": to_json(written), "key": LEADER_LOCK}
    return Statement(sql("schedules/advance"), params, first)


def _written(due: Due, plan: Plan | str) -> dict[str, Any]:
    told: dict[str, Any] = {"id": due.id, "revision": due.revision, "was": due.next_at}
    if isinstance(plan, str):
        return {**told, "runs": 0, "problem": plan, "ticks": []}
    ticks = [
        {"at": tick.at, "state": tick.state, "catch_up": tick.catch_up, "delay": tick.delay_seconds}
        for tick in plan.ticks
    ]
    runs = sum(tick.state in {"enqueued", "waiting"} for tick in plan.ticks)
    return {**told, "runs": runs, "next": plan.next_at, "ticks": ticks}


def next_seconds() -> Statement[float | None]:
    """Ask how long it is until the next tick. None: there is none."""
    return Statement(sql("schedules/next"), {}, first)


def conclude(after: tuple[int, datetime | str], limit: int) -> Statement[Concluded]:
    """Note how the jobs of up to `limit` ticks ended, of those after one."""
    params = {"after_id": after[0], "after_at": after[1], "limit": limit}
    return Statement(sql("schedules/conclude"), params, lambda row: Concluded(*row))


def release() -> Statement[int]:
    """Enqueue the jobs of ticks that waited. The row is how many wait still."""
    return Statement(sql("schedules/release"), {}, first)


def remove_done() -> Statement[str]:
    """Remove schedules that are over and said so. Rows are their names."""
    return Statement(sql("schedules/remove_done"), {}, first)


def prune(days: int, limit: int) -> Statement[int]:
    """Forget old ticks, up to `limit`. The row is how many."""
    return Statement(sql("schedules/prune"), {"days": days, "limit": limit}, first)


def mend() -> Statement[int]:
    """Try broken schedules once more. One row each."""
    return Statement(sql("schedules/mend"), {}, first)
