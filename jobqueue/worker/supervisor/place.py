"""A supervisor's places, in each of which one worker at a time runs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from jobqueue.worker.background import first_of
from jobqueue.worker.supervisor.backoff import Backoff
from jobqueue.worker.supervisor.child import Child


class Place:
    """Where one worker after the other runs. child: the one there is, or the last there was."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.backoff = Backoff()
        self.child: Child | None = None
        self._taken = asyncio.Event()

    @property
    def present(self) -> Child | None:
        """The worker that runs here now, whether it works yet or not."""
        return None if self.child is None or self.child.ended.is_set() else self.child

    @property
    def working(self) -> Child | None:
        """The worker that works here now."""
        return self.child if self.child is not None and self.child.works else None

    def take(self, command: Sequence[str]) -> Child:
        """Start a worker here. Raises OSError if no process can be started."""
        self.child = Child(self.number, command)
        self._taken.set()
        return self.child

    async def renew(self, child: Child, grace_seconds: float) -> bool:
        """Have `child` make room for another. Whether that works, in the end."""
        self._taken.clear()
        child.replace(grace_seconds)
        await self._taken.wait()
        successor = self.child
        if successor is None:
            return False
        await first_of(successor.started.wait(), successor.ended.wait(), seconds=math.inf)
        return successor.works
