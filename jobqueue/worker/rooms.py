"""How much room there is in pools that may be full while slots are free."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.worker.pools import Pool


class Rooms:
    """Counts the attempts in each pool that holds a limited number.

    A job never waits for room in one worker's hand: it is claimed when there is room, or not at
    all. A queue whose own tasks find no room is left alone; in one that is shared, only the jobs of
    those tasks are passed over.
    """

    def __init__(self, tasks: Mapping[str, Task[..., Any]], pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._tasks = tasks
        self._names = list(tasks)
        self._limited = [task for task in tasks.values() if self._most(task) is not None]
        self._taken: Counter[str] = Counter()
        self.matter = bool(self._limited)
        """whether any pool may be full"""
        homes: dict[str, list[Task[..., Any]]] = defaultdict(list)
        for task in tasks.values():
            homes[task.options.queue or "default"].append(task)
        self._alone = {
            queue: mates
            for queue, mates in homes.items()
            if all(self._most(task) is not None for task in mates)
        }

    def take(self, task: Task[..., Any]) -> None:
        """Count an attempt that starts."""
        self._taken[task.pool] += 1

    def leave(self, task: Task[..., Any]) -> None:
        """Count one that has ended."""
        self._taken[task.pool] -= 1

    def free(self, task: Task[..., Any]) -> int:
        """How many more attempts of this task would begin soon; negative for any number."""
        most = self._most(task)
        return -1 if most is None else max(0, most - self._taken[task.pool])

    def half_lost(self, task: Task[..., Any], lost: Iterable[Attempt]) -> str | None:
        """Say in words that too little is left of this task's pool, if that is so.

        lost: all attempts that do not stop.
        """
        room = self._most(task)
        if room is None:
            return None
        gone = sum(1 for attempt in lost if self._tasks[attempt.job.task].pool == task.pool)
        return f"{gone} of {room} places of pool {task.pool!r}" if gone * 2 >= room else None

    def claimable(self) -> list[str]:
        """Name the tasks whose jobs would begin soon."""
        if not self._limited:
            return self._names
        full = {task.name for task in self._limited if not self.free(task)}
        return [name for name in self._names if name not in full] if full else self._names

    def fitting(self, limits: dict[str, int]) -> dict[str, int]:
        """Give of the jobs to be claimed of each queue as many as would begin soon."""
        fits: dict[str, int] = {}
        for queue, limit in limits.items():
            mates = self._alone.get(queue)
            most = limit if mates is None else min(limit, max(map(self.free, mates)))
            if most > 0:
                fits[queue] = most
        return fits

    def _most(self, task: Task[..., Any]) -> int | None:
        return self._pools[task.pool].most(task)
