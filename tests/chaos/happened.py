"""What was done to the system and what it did itself, with times, for the checker to judge by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tests.chaos.plan import Kind


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was carried out. Times are in seconds of the same clock as the notes.

    pids: whom it touched; None: everybody.
    planned_seconds: how long it was meant to last.
    """

    kind: Kind
    began: float
    ended: float
    pids: Collection[int] | None = None
    planned_seconds: float = 0.0

    def touched(self, pid: int) -> bool:
        return self.pids is None or pid in self.pids


KILLED = "killed"
STOPPED = "stopped"
THE_END = "the end"


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that ended. done_to_it: what we had done, if anything."""

    name: str
    pid: int
    code: int
    at: float
    done_to_it: frozenset[str] = frozenset()
