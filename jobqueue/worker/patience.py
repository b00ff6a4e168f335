"""Jobs in hand that find no slot: a worker with a free one is to have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from jobqueue.store.claims import Claimed
from jobqueue.worker.lines import Line

# A job that has waited so long in hand is given back.
LONGEST_WAIT_SECONDS = 0.1


class Patience:
    """Empties lines in which what was in hand at the last look has not all begun.

    give_back: called with each such line.
    """

    def __init__(self, lines: Mapping[str, Line], give_back: Callable[[Line], None]) -> None:
        self._lines = lines
        self._give_back = give_back
        self._next: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Look in a while, if anything waits; once, however often it is asked for."""
        if self._next is None and any(line.buffer for line in self._lines.values()):
            newest = [(line, line.buffer[-1]) for line in self._lines.values() if line.buffer]
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(LONGEST_WAIT_SECONDS, self._look, newest)

    def _look(self, newest: list[tuple[Line, Claimed]]) -> None:
        self._next = None
        for line, job in newest:
            if any(waiting is job for waiting in line.buffer):
                line.slowed(LONGEST_WAIT_SECONDS)
                self._give_back(line)
        self.watch()
