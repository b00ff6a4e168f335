"""How long to wait before a worker that ended is followed by another."""

from __future__ import annotations

LONGEST_PAUSE_SECONDS = 30.0
# One that lived so long did not die of its start.
LONG_LIFE_SECONDS = 60.0


class Backoff:
    """Pauses between the workers of one place: none, then 1 s, doubled each time, at most 30 s."""

    def __init__(self) -> None:
        self._next = 0.0

    def pause_after(self, lived_seconds: float) -> float:
        """Give the seconds to wait after a worker that lived so long."""
        pause = 0.0 if lived_seconds >= LONG_LIFE_SECONDS else self._next
        self._next = min(max(pause * 2, 1.0), LONGEST_PAUSE_SECONDS)
        return pause
