"""Making attempts stop: those whose time is over, and those that somebody cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.errors import TimedOut
from jobqueue.core.outcome import Cancel
from jobqueue.worker.pools import Pool

Running = dict[Attempt, asyncio.Task[None]]

# Between two looks at one that commits.
AGAIN_SECONDS = 0.5


class Stops:
    """Tells attempts to stop, in the way of their pool.

    running: the attempts that run, with what waits for each.
    give_up: called for one whose time is over and that has not stopped `seconds` later. One that
        was cancelled may go on for as long as it likes: what it completes is completed.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        pools: Mapping[str, Pool],
        running: Running,
        give_up: Callable[[Attempt], None],
        seconds: float,
    ) -> None:
        self._tasks = tasks
        self._pools = pools
        self._running = running
        self._give_up = give_up
        self._seconds = seconds
        self._timers: dict[Attempt, asyncio.TimerHandle] = {}

    @property
    def any(self) -> bool:
        """Whether the time of any attempt is counted."""
        return bool(self._timers)

    def begun(self, attempt: Attempt, timeout_seconds: float) -> None:
        """Count an attempt's time from now."""
        self.ended(attempt)
        loop = asyncio.get_running_loop()
        self._timers[attempt] = loop.call_later(
            timeout_seconds, self._time_is_over, attempt, timeout_seconds
        )

    def ended(self, attempt: Attempt) -> None:
        """Forget an attempt."""
        timer = self._timers.pop(attempt, None)
        if timer is not None:
            timer.cancel()

    def stop(self, attempt: Attempt, reason: Exception) -> None:
        """Tell an attempt to stop, unless it was told already."""
        if attempt.stopped is None:
            attempt.tell(reason)
            # Its asyncio task may not have begun yet; cancelled before that, it never would.
            asyncio.get_running_loop().call_soon(self._stop, attempt)

    def _stop(self, attempt: Attempt) -> None:
        running = self._running.get(attempt)
        if running is not None:
            self._pools[self._tasks[attempt.job.task].pool].stop(running, attempt)

    def _time_is_over(self, attempt: Attempt, seconds: float) -> None:
        self.stop(attempt, TimedOut(f"ran longer than its timeout of {seconds:g} s"))
        if not self._pools[self._tasks[attempt.job.task].pool].sure:
            loop = asyncio.get_running_loop()
            self._timers[attempt] = loop.call_later(self._seconds, self._last_moment, attempt)

    def _last_moment(self, attempt: Attempt) -> None:
        """Give an attempt up, unless it commits: what is recorded of its job waits for that.

        Acks are recorded together, so those of all others would wait as well.
        """
        if any(one.committing for one in attempt.members):
            loop = asyncio.get_running_loop()
            self._timers[attempt] = loop.call_later(AGAIN_SECONDS, self._last_moment, attempt)
        else:
            self._give_up(attempt)


def cancelled() -> Cancel:
    """Give the reason for those that somebody cancelled."""
    return Cancel("somebody cancelled it while it ran")
