"""Time zones: finding one, and turning what a clock on the wall shows into moments.

Twice a year a zone's clocks are put forward or back:

- A wall-clock time that is **skipped** is read by the offset before the change, so 02:30 is the
  moment that the clocks then call 03:30. Source: RFC 5545, 3.3.5; PEP 495.
- One that is **repeated** is the first of the two; or both, for what happens every hour anyway.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jobqueue.core.errors import ConfigurationError

Walls = Callable[[datetime], Iterator[datetime]]
"""Gives the wall-clock times after one of them, ascending; they have no time zone."""

# No zone has changed its clocks by more than a day.
LONGEST_CHANGE = timedelta(hours=25)


@lru_cache
def find_zone(name: str) -> ZoneInfo:
    """Give the time zone called `name`.

    Raises ConfigurationError if there is none, or no zone data at all.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        if not available_timezones():
            raise ConfigurationError(
                f"time zone {name!r}: this machine has no time zone data; "
                "run: pip install tzdata (or install the system's package tzdata)"
            ) from error
        raise ConfigurationError(
            f"time zone {name!r}: unknown; use a name of the IANA database such as 'Europe/Berlin'"
        ) from error


def moments(walls: Walls, zone: ZoneInfo, after: datetime, *, twice: bool) -> Iterator[datetime]:
    """Give the moments after `after`, in UTC and ascending, at which clocks show `walls`.

    twice: whether a wall-clock time that is repeated counts both times.
    """
    waiting: list[datetime] = []
    last = after
    for wall in walls(_first_wall(zone, after)):
        first = _moment(wall, zone, fold=0)
        second = _moment(wall, zone, fold=1)
        heapq.heappush(waiting, first)
        if twice and second > first:
            heapq.heappush(waiting, second)
        if second < first:
            # Skipped: times after the change may be moments before this one.
            continue
        while waiting and waiting[0] <= first:
            if (moment := heapq.heappop(waiting)) > last:
                last = moment
                yield moment
    for moment in sorted(waiting):
        if moment > last:
            last = moment
            yield moment


def _moment(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _first_wall(zone: ZoneInfo, after: datetime) -> datetime:
    """Give a wall-clock time from which on there are all that are moments after `after`.

    Around a change the clocks run over the same moments, or times, twice.
    """
    local = after.astimezone(zone).replace(tzinfo=None)
    here = _offset(zone, after)
    around = (_offset(zone, after - LONGEST_CHANGE), _offset(zone, after + LONGEST_CHANGE))
    change = max(abs(there - here) for there in around)
    if change and any(_offset(zone, after + way * change) != here for way in (-1, 1)):
        return local - change
    return local


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
