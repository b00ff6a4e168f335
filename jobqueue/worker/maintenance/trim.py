"""Shorten the history of days that some queues keep longer or shorter than the others."""

from __future__ import annotations

from collections import deque

from jobqueue.store import maintenance
from jobqueue.store.maintenance import ToTrim
from jobqueue.worker.link import Link

# A step reads so much of a partition, and the others have their turn.
PAGES = 2_000
STEP_SECONDS = 0.05
PAUSE_SECONDS = 600.0


class Trim:
    """Goes through each day's partition once for each change of who keeps it.

    history_days: how long history is kept where its queue says nothing.
    """

    def __init__(self, history_days: int) -> None:
        self._history_days = history_days
        self._done: set[tuple[str, tuple[str, ...], bool]] = set()
        self._left: deque[tuple[ToTrim, int]] = deque()

    async def __call__(self, session: Link) -> float:
        """Take one step."""
        if not self._left:
            found = await session.run(maintenance.history_to_trim(self._history_days))
            self._done &= {_named(day) for day in found}
            self._left.extend((day, 0) for day in found if _named(day) not in self._done)
            if not self._left:
                return PAUSE_SECONDS
        day, page = self._left[0]
        await session.run(maintenance.trim_history(day, page, PAGES))
        if page + PAGES < day.pages:
            self._left[0] = (day, page + PAGES)
        else:
            self._left.popleft()
            self._done.add(_named(day))
        return STEP_SECONDS


def _named(day: ToTrim) -> tuple[str, tuple[str, ...], bool]:
    return (day.partition, tuple(day.queues), day.all_but)
