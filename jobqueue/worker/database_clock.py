"""The database's clock, as far as a worker can know it between two answers."""

from __future__ import annotations

from math import inf

from jobqueue.worker.clock import clock

# Bounds are taken anew so often: clocks drift, and may be set.
GENERATION_SECONDS = 1.0


class DatabaseClock:
    """Bounds of the database's clock, from the moments that answers carry.

    A moment was read after its statement was sent and before its answer came. Of several answers
    the closest bounds hold. Source: Cristian, "Probabilistic clock synchronization", 1989.
    """

    def __init__(self) -> None:
        # By how much the database's clock is ahead of ours: at least, and at most.
        self._newest = (-inf, inf)
        self._before = (-inf, inf)
        self._began = -inf

    def learn(self, moment: float, sent_at: float) -> None:
        """Take in a moment of the database, in seconds since 1970, whose answer is here.

        sent_at: when its statement was sent, by our clock. However long it is since the answer
        came, the bounds hold.
        """
        now = clock()
        if now - self._began > GENERATION_SECONDS:
            fresh = now - self._began < 2 * GENERATION_SECONDS
            self._before = self._newest if fresh else (-inf, inf)
            self._newest = (-inf, inf)
            self._began = now
        least, most = self._newest
        self._newest = (max(least, moment - now), min(most, moment - sent_at))

    def until(self, moment: float) -> float:
        """Give until when, by ours, the database's clock surely shows no more than `moment`."""
        _, latest = self.bounds()
        return clock() + moment - latest

    def bounds(self) -> tuple[float, float]:
        """Give the earliest and the latest that the database's clock may show now."""
        least = max(self._newest[0], self._before[0])
        most = min(self._newest[1], self._before[1])
        if least > most:  # it was set in between
            least, most = self._newest
        now = clock()
        return now + least, now + most
