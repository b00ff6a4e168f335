"""Why a job is not running: reasons, each read from what the books say of it.

Whatever may hold a job up adds a rule here, and what the rule needs to the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple


class Reason(NamedTuple):
    """One reason. code: for programs. text: for people."""

    code: str
    text: str


class Facts(NamedTuple):
    """What the books say of a job and of what it waits for.

    ended: `completed`, `cancelled` or `dead`, and then nothing else is known.
    due_seconds: until it is due; negative since it was.
    expires_seconds: until its deadline, if it has one.
    queue_pause, task_pause: since when, and the reason that was given.
    ahead: available jobs of its queue that go before it, counted no further than `ahead_most`.
    serving: live workers that serve its queue. knowing: those of them that have its task.
    elsewhere: live workers that have its task and do not serve its queue.
    sleeping: workers that could take it and have nothing to do.
    leader: whether a worker leads.
    """

    task: str
    queue: str
    state: str
    worker: str | None
    started_at: datetime | None
    due_seconds: float
    expires_seconds: float | None
    queue_paused_at: datetime | None
    queue_pause_reason: str | None
    task_paused_at: datetime | None
    task_pause_reason: str | None
    ahead: int
    ahead_most: int
    serving: int
    knowing: int
    elsewhere: int
    sleeping: int
    leader: bool


Rule = Callable[[Facts], Reason | None]
# So long after it was due a job is late, whatever takes its time.
LATE_SECONDS = 2.0


def why(facts: Facts) -> list[Reason]:
    """Give the reasons why a job is not running, those that people can mend first."""
    if facts.state not in WAITING:
        return [_not_waiting(facts)]
    found = [reason for rule in RULES if (reason := rule(facts)) is not None]
    return found or [Reason("next", "nothing holds it up: a worker is about to take it")]


WAITING = frozenset({"scheduled", "available", "blocked", "waiting"})


def _not_waiting(facts: Facts) -> Reason:
    if facts.state == "running":
        since = "" if facts.started_at is None else f" since {_moment(facts.started_at)}"
        return Reason("running", f"it runs{since}, on worker {facts.worker or 'unknown'}")
    return Reason(facts.state, f"it has ended: {facts.state}")


def _queue_paused(facts: Facts) -> Reason | None:
    if facts.queue_paused_at is None:
        return None
    said = _paused(facts.queue_paused_at, facts.queue_pause_reason)
    return Reason("queue_paused", f"queue {facts.queue!r} is paused {said}")


def _task_paused(facts: Facts) -> Reason | None:
    if facts.task_paused_at is None:
        return None
    said = _paused(facts.task_paused_at, facts.task_pause_reason)
    return Reason("task_paused", f"task {facts.task!r} is paused {said}")


def _no_worker(facts: Facts) -> Reason | None:
    """Tell of workers, where those that are cannot run it."""
    task, queue = repr(facts.task), repr(facts.queue)
    if facts.knowing:
        return None
    if not facts.serving and not facts.elsewhere:
        return Reason("no_worker", f"no live worker serves queue {queue}, and none has task {task}")
    if not facts.serving:
        return Reason("queue_not_served", f"no live worker serves queue {queue}; start one with it")
    if not facts.elsewhere:
        return Reason(
            "task_unknown",
            f"task {task} is not known to any live worker; import its module with --import",
        )
    return Reason(
        "task_unknown_here",
        f"no worker that serves queue {queue} has task {task}, and those that have it do not "
        "serve the queue",
    )


def _not_due(facts: Facts) -> Reason | None:
    if facts.state != "scheduled" or facts.due_seconds <= 0:
        return None
    return Reason("scheduled", f"it is due in {_seconds(facts.due_seconds)}")


def _not_promoted(facts: Facts) -> Reason | None:
    if facts.state != "scheduled" or facts.due_seconds > 0:
        return None
    late = _seconds(-facts.due_seconds)
    if not facts.leader:
        return Reason(
            "no_leader", f"it was due {late} ago, and no worker leads that could see to it"
        )
    return Reason("due", f"it was due {late} ago; the leader is about to make it available")


def _contested(facts: Facts) -> Reason | None:
    if facts.state != "blocked":
        return None
    return Reason(
        "contested",
        "another open transaction holds its key; the leader decides when that has ended",
    )


def _behind(facts: Facts) -> Reason | None:
    if facts.state != "available" or not facts.ahead:
        return None
    many = facts.ahead >= facts.ahead_most
    count = f"at least {facts.ahead_most:,}" if many else f"about {facts.ahead:,}"
    return Reason("behind", f"it is behind {count} others of queue {facts.queue!r}")


def _busy(facts: Facts) -> Reason | None:
    """Tell of workers that could take it and have no slot free, as far as they say."""
    paused = facts.queue_paused_at is not None or facts.task_paused_at is not None
    if facts.state != "available" or paused or not facts.knowing or facts.sleeping:
        return None
    if -facts.due_seconds < LATE_SECONDS:
        return None
    count = "the worker" if facts.knowing == 1 else f"all {facts.knowing} workers"
    return Reason("workers_full", f"{count} that could take it: busy with other jobs")


def _expires(facts: Facts) -> Reason | None:
    if facts.expires_seconds is None:
        return None
    if facts.expires_seconds <= 0:
        return Reason("expired", "its deadline has passed; it is about to be cancelled")
    return Reason("expires", f"not started in {_seconds(facts.expires_seconds)}, it is cancelled")


RULES: tuple[Rule, ...] = (
    _queue_paused,
    _task_paused,
    _no_worker,
    _not_due,
    _not_promoted,
    _contested,
    _behind,
    _busy,
    _expires,
)


def _paused(since: datetime, reason: str | None) -> str:
    return f"since {_moment(since)}" + ("" if reason is None else f": {reason}")


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _seconds(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
