"""Why a job is not running: reasons, each read from what the books say of it.

Whatever may hold a job up adds a rule here, and what the rule needs to the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple


class Reason(NamedTuple):
    """One reason. code: for programs. text: for people."""

    code: str
    text: str


class Gate(NamedTuple):
    """The gate of a limit at which a job waits, and what is known of it.

    kind: `rate` or `concurrency`; None: the limit is not in the database.
    amount: None: any number, keys take turns.
    held_seconds: until it lets anything through; free_seconds: of a rate, until its next start.
    Negative since.
    ahead: jobs, or starts of a rate, that go before it. holding: jobs that run, or are about to.
    """

    limit: str
    key: str
    kind: str | None
    amount: int | None
    per_seconds: float | None
    held_seconds: float | None
    free_seconds: float | None
    ahead: int
    holding: int


class Facts(NamedTuple):
    """What the books say of a job and of what it waits for.

    ended: `completed`, `cancelled` or `dead`, and then nothing else is known.
    asked_at: when the books were asked.
    due_seconds: until it is due; negative since it was.
    expires_seconds: until its deadline, if it has one.
    queue_paused_at and the like: since when it is paused, and the reason that was given.
    paused_limit, paused_key: of the key that is paused.
    ahead: available jobs of its queue that go before it, counted no further than `ahead_most`.
    serving: live workers that serve its queue. knowing: those of them that have its task.
    elsewhere: live workers that have its task and do not serve its queue.
    sleeping: workers that could take it and have nothing to do.
    leader: whether a worker leads.
    places: how many of its queue's jobs may run at once, over all workers; places_taken: by them.
    gate: at which it waits, if it does.
    """

    task: str
    queue: str
    state: str
    worker: str | None
    started_at: datetime | None
    asked_at: datetime
    due_seconds: float
    expires_seconds: float | None
    queue_paused_at: datetime | None
    queue_pause_reason: str | None
    task_paused_at: datetime | None
    task_pause_reason: str | None
    paused_limit: str | None
    paused_key: str | None
    key_paused_at: datetime | None
    key_pause_reason: str | None
    ahead: int
    ahead_most: int
    serving: int
    knowing: int
    elsewhere: int
    sleeping: int
    leader: bool
    places: int | None
    places_taken: int
    gate: Gate | None


Rule = Callable[[Facts], Reason | None]
# So long after it was due a job is late, whatever takes its time.
LATE_SECONDS = 2.0
LONGEST_TOLD_SECONDS = 1e9


def why(facts: Facts) -> list[Reason]:
    """Give the reasons why a job is not running, those that people can mend first."""
    if facts.state not in WAITING:
        return [_not_waiting(facts)]
    found = [reason for rule in RULES if (reason := rule(facts)) is not None]
    return found or [Reason("next", "nothing holds it up: a worker is about to take it")]


WAITING = frozenset({"scheduled", "available", "blocked", "waiting", "gated"})


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


def _key_paused(facts: Facts) -> Reason | None:
    if facts.key_paused_at is None:
        return None
    said = _paused(facts.key_paused_at, facts.key_pause_reason)
    what = f"key {facts.paused_key!r} of limit {facts.paused_limit!r}"
    return Reason("key_paused", f"{what} is paused {said}")


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


def _parked(facts: Facts) -> Reason | None:
    if facts.state != "waiting":
        return None
    return Reason("waiting", "it sleeps, or waits for an event, and goes on by itself")


def _limit_held(facts: Facts) -> Reason | None:
    gate = facts.gate
    if gate is None or gate.held_seconds is None or gate.held_seconds <= 0:
        return None
    return Reason("limit_held", f"{_limit(gate)} is held {_until(facts, gate.held_seconds)}")


def _at_concurrency(facts: Facts) -> Reason | None:
    gate = facts.gate
    if gate is None or gate.kind != "concurrency":
        return None
    behind = _others(gate.ahead, facts.ahead_most)
    if gate.amount is not None and gate.holding >= gate.amount:
        return Reason(
            "waits_for_key",
            f"{_limit(gate)} lets {gate.amount:,} run at once, and so many do; it is behind "
            f"{behind}",
        )
    if not gate.ahead:
        return None
    return Reason("waits_for_turn", f"{_limit(gate)} lets jobs through in turn; behind {behind}")


def _at_rate(facts: Facts) -> Reason | None:
    gate = facts.gate
    if gate is None or gate.kind != "rate" or gate.amount is None or gate.per_seconds is None:
        return None
    pace = gate.per_seconds / gate.amount
    free = 0.0 if gate.free_seconds is None else gate.free_seconds
    start = max(free, 0.0, gate.held_seconds or 0.0)
    many = gate.ahead >= facts.ahead_most
    wait = start + gate.ahead * pace if start > 0 else max(0.0, free + gate.ahead * pace)
    said = "for longer than can be counted" if many else _until(facts, wait)
    return Reason(
        "waits_for_rate",
        f"{_limit(gate)} lets {gate.amount:,} start in {_seconds(gate.per_seconds)}; it is behind "
        f"{_others(gate.ahead, facts.ahead_most)}, {said}",
    )


def _no_limit(facts: Facts) -> Reason | None:
    if facts.gate is None or facts.gate.kind is not None:
        return None
    return Reason(
        "limit_unknown",
        f"limit {facts.gate.limit!r} is not in the database; a worker that knows the task enters "
        "it when it starts",
    )


def _behind(facts: Facts) -> Reason | None:
    if facts.state != "available" or not facts.ahead:
        return None
    others = _others(facts.ahead, facts.ahead_most)
    return Reason("behind", f"it is behind {others} of queue {facts.queue!r}")


def _no_places(facts: Facts) -> Reason | None:
    if facts.state != "available" or facts.places is None or facts.places_taken < facts.places:
        return None
    return Reason(
        "queue_full",
        f"queue {facts.queue!r} runs {facts.places:,} at once, by all workers together, and its "
        "places are taken",
    )


def _busy(facts: Facts) -> Reason | None:
    """Tell of workers that could take it and have no slot free, as far as they say."""
    pauses = (facts.queue_paused_at, facts.task_paused_at, facts.key_paused_at)
    paused = any(since is not None for since in pauses)
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
    _key_paused,
    _no_worker,
    _not_due,
    _not_promoted,
    _contested,
    _parked,
    _no_limit,
    _limit_held,
    _at_concurrency,
    _at_rate,
    _behind,
    _no_places,
    _busy,
    _expires,
)


def _paused(since: datetime, reason: str | None) -> str:
    return f"since {_moment(since)}" + ("" if reason is None else f": {reason}")


def _limit(gate: Gate) -> str:
    of_key = f" for key {gate.key!r}" if gate.key else ""
    return f"limit {gate.limit!r}{of_key}"


def _others(ahead: int, most: int) -> str:
    count = f"at least {most:,}" if ahead >= most else f"about {ahead:,}" if ahead else "no"
    return f"{count} others"


def _until(facts: Facts, seconds: float) -> str:
    """Say until when, unless that is beyond the years that can be told."""
    if seconds > LONGEST_TOLD_SECONDS:
        return f"for {_seconds(seconds)}"
    moment = facts.asked_at + timedelta(seconds=seconds)
    return f"until about {_moment(moment)}, {_seconds(seconds)} from now"


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _seconds(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
