"""The states of a job and every way from one to another."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life."""

    SCHEDULED = "scheduled"
    """due later: a first run or a retry"""
    AVAILABLE = "available"
    """due, waiting for a worker"""
    RUNNING = "running"
    """claimed by a worker, under its lease"""
    BLOCKED = "blocked"
    """needs other jobs first"""
    WAITING = "waiting"
    """a workflow parked on sleep or an event"""
    GATED = "gated"
    """due, waiting for a limit to let it through"""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DEAD = "dead"
    """out of attempts: a dead letter"""

    @property
    def ended(self) -> bool:
        """Whether nothing further happens by itself."""
        return self in ENDED


class Cancellation(StrEnum):
    """What came of cancelling a job."""

    CANCELLED = "cancelled"
    """it waited, and will not run"""
    ASKED = "asked"
    """it runs, and its worker is told to stop it; it may still complete first"""
    ENDED = "ended"
    """too late: it had ended"""
    UNKNOWN = "unknown"
    """it never was, or nothing is known of it any more"""

    @property
    def in_time(self) -> bool:
        """Whether it had not ended yet."""
        return self in {Cancellation.CANCELLED, Cancellation.ASKED}


ENDED = frozenset({State.COMPLETED, State.CANCELLED, State.DEAD})


class Event(StrEnum):
    """What moves a job from one state to another."""

    CLAIM = "claim"
    COMPLETE = "complete"
    RESCHEDULE = "reschedule"
    """a retry or a snooze"""
    HAND_BACK = "hand_back"
    """a worker that stops returns what it did not finish"""
    CANCEL = "cancel"
    """before it runs; while it runs, by the job itself or because somebody asked"""
    BURY = "bury"
    PROMOTE = "promote"
    RESCUE = "rescue"
    """its worker's lease expired, attempts are left"""
    REDRIVE = "redrive"
    RUN_NOW = "run_now"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.SCHEDULED, Event.PROMOTE): State.AVAILABLE,
    (State.SCHEDULED, Event.RUN_NOW): State.AVAILABLE,
    (State.SCHEDULED, Event.CANCEL): State.CANCELLED,
    (State.AVAILABLE, Event.CLAIM): State.RUNNING,
    (State.AVAILABLE, Event.CANCEL): State.CANCELLED,
    (State.RUNNING, Event.COMPLETE): State.COMPLETED,
    (State.RUNNING, Event.RESCHEDULE): State.SCHEDULED,
    (State.RUNNING, Event.HAND_BACK): State.AVAILABLE,
    (State.RUNNING, Event.RESCUE): State.AVAILABLE,
    (State.RUNNING, Event.CANCEL): State.CANCELLED,
    (State.RUNNING, Event.BURY): State.DEAD,
    (State.DEAD, Event.REDRIVE): State.AVAILABLE,
}
"""Every allowed move; any other pair changes nothing."""


def after(state: State, event: Event) -> State:
    """Give the state that `event` leads to; the same state when it is not allowed."""
    return TRANSITIONS.get((state, event), state)
