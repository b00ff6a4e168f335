"""Enqueue the jobs of ticks that are due, and sleep until the next tick."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic

from jobqueue.core.errors import ConfigurationError
from jobqueue.core.schedules.plan import Due, Plan, plan
from jobqueue.store import ticks
from jobqueue.store.ticks import Found
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")

BATCH = 250
# Of one statement. After an outage a single schedule may have more; it is then the only one.
MOST_TICKS = 2_000
# To plan so many takes less than a millisecond or two; more are planned beside the event loop.
FEW = 20
# New rules wake the leader. This is for clocks that were put forward, and for what it did not hear.
LONGEST_PAUSE_SECONDS = 5.0
# When somebody has all the rows that are due locked.
LOCKED_PAUSE_SECONDS = 0.2
# Between tries of schedules whose rule could not be used.
MEND_PAUSE_SECONDS = 600.0


class Schedule:
    """Decides about due ticks, a batch of schedules at a time, each batch in one transaction."""

    def __init__(self) -> None:
        self._mend_due = monotonic()

    async def __call__(self, session: Link) -> float:
        """Carry out one batch, and give the seconds until the next tick."""
        if monotonic() >= self._mend_due:
            self._mend_due = monotonic() + MEND_PAUSE_SECONDS
            await session.run(ticks.mend())
        found = await session.run(ticks.due(BATCH))
        if found:
            if len(found) <= FEW:
                plans = plan_all(found)
            else:
                plans = await asyncio.to_thread(plan_all, found)
            [advanced] = await session.run(ticks.advance(plans))
            if not advanced:
                return LOCKED_PAUSE_SECONDS
            if len(found) >= BATCH or len(plans) < len(found):
                return 0.0
        [seconds] = await session.run(ticks.next_seconds())
        if seconds is None:
            return LONGEST_PAUSE_SECONDS
        return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)


def plan_all(found: Iterable[Found]) -> dict[Due, Plan | str]:
    """Plan schedules, those found first, until they have ticks enough; the others are found again.

    One whose rule cannot be used gives the reason instead.
    """
    plans: dict[Due, Plan | str] = {}
    planned = 0
    for due, now in found:
        if planned >= MOST_TICKS:
            break
        try:
            plans[due] = made = plan(due, now)
            planned += len(made.ticks)
        except ConfigurationError as error:
            plans[due] = str(error)
            log.warning("schedule number %d: cannot be used (%s)", due.id, error)
        except Exception as error:  # whatever it is, the others' ticks do not wait for it
            plans[due] = f"cannot be planned: {type(error).__name__}: {error}"
            log.exception("schedule number %d: cannot be planned", due.id)
    return plans
