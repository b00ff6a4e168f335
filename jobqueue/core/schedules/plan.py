"""What becomes of the ticks of a schedule that is due."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from jobqueue.core.schedules.rule import Rule

MOST_RECORDED = 100
"""Of missed ticks that get no job, how many are recorded: after an outage there may be millions."""


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose next tick has come, or that has none planned yet.

    revision: of its rule; what is planned by an older one is not carried out.
    next_at: its first tick that nothing was decided about; None: the first after `counts_from`.
    runs: how many jobs its ticks have had.
    open: whether a job of an earlier tick has not ended. waiting: whether a tick waits for one.
    """

    id: int
    revision: int
    rule: Rule
    next_at: datetime | None
    counts_from: datetime
    runs: int = 0
    max_runs: int | None = None
    jitter_seconds: int = 0
    missed: str = "once"
    missed_limit: int = 100
    missed_after_seconds: float = 60.0
    overlap: str = "allow"
    open: bool = False
    waiting: bool = False


class Tick(NamedTuple):
    """A tick, and what becomes of it.

    state: `enqueued`, `waiting` (for the run before it), `skipped` (overlap) or `missed`.
    delay_seconds: of its job; jitter.
    """

    at: datetime
    state: str
    catch_up: bool = False
    delay_seconds: float = 0.0


class Plan(NamedTuple):
    """What is to be done about a schedule. next_at: None when no tick is left."""

    ticks: list[Tick]
    next_at: datetime | None


def plan(due: Due, now: datetime) -> Plan:
    """Decide about the ticks until `now`, and find the next.

    Raises ConfigurationError if the schedule's rule cannot be used here.
    """
    left = None if due.max_runs is None else max(due.max_runs - due.runs, 0)
    most = MOST_RECORDED + due.missed_limit + _punctual_most(due)
    passed, following = _passed(due, now, most)
    ticks: list[Tick] = []
    running, waiting = due.open or due.waiting, due.waiting
    for at, catch_up in _wanted(due, passed, now):
        if left == 0:
            break
        if catch_up is None:
            ticks.append(Tick(at, "missed"))
            continue
        state = "enqueued"
        if (running and due.overlap == "skip") or (waiting and due.overlap == "queue"):
            state = "skipped"
        elif running and due.overlap == "queue":
            state, waiting = "waiting", True
        if state != "skipped" and left is not None:
            left -= 1
        running = True
        delay = 0.0 if catch_up else _jitter(due, at)
        ticks.append(Tick(at, state, catch_up, delay))
    return Plan(ticks, None if left == 0 else following)


def _passed(due: Due, now: datetime, most: int) -> tuple[list[datetime], datetime | None]:
    """Give the last ticks that nothing was decided about, and the first that is to come."""
    if due.next_at is None:
        return due.rule.passed(due.counts_from, now, most)
    if due.next_at > now:
        return [], due.next_at
    # It is a tick, as was found when the one before was planned: no need to find it again.
    passed, following = due.rule.passed(due.next_at, now, most)
    return [due.next_at, *passed][-most:], following


def _punctual_most(due: Due) -> int:
    """Give how many ticks may be late and not missed: the most that a second each could make."""
    return int(min(due.missed_after_seconds, 3_600)) + 1


def _wanted(due: Due, passed: list[datetime], now: datetime) -> list[tuple[datetime, bool | None]]:
    """Say of each tick whether its job is a catch-up; None: it is missed and gets none."""
    limit = now - timedelta(seconds=due.missed_after_seconds)
    missed = [at for at in passed if at < limit]
    punctual = passed[len(missed) :]
    if due.missed == "all":
        made_up = due.missed_limit
    else:
        # A tick that is due now makes up for those before it.
        made_up = int(due.missed == "once" and not punctual)
    lost = missed[: max(len(missed) - made_up, 0)]
    return [
        *((at, None) for at in lost[-MOST_RECORDED:]),
        *((at, True) for at in missed[len(lost) :]),
        *((at, False) for at in punctual),
    ]


def _jitter(due: Due, at: datetime) -> float:
    """Give a delay between none and the schedule's jitter: the same whoever asks for this tick."""
    digest = hashlib.sha256(f"{due.id} {at.isoformat()}".encode()).digest()
    return due.jitter_seconds * int.from_bytes(digest[:6]) / 2**48
