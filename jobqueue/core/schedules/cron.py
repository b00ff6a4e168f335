"""Cron patterns, read and matched by croniter; of time zones they know nothing."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from croniter import croniter
from croniter.croniter import CroniterBadDateError, CroniterError

from jobqueue.core.errors import ConfigurationError

LONGEST_PATTERN = 200
FIELDS = (5, 6)
HOUR_FIELD = 1
HOURS_A_DAY = 24
# croniter's own extensions: a value made of a name's hash, and one that is random at every reading.
HASHED_OR_RANDOM = re.compile(r"(^|[\s,])[hr]($|[\s,/(])", re.IGNORECASE)
# A range from a value to itself is that value; croniter reads it as all there are.
RANGE_OF_ONE = re.compile(r"\b(\w+)-\1\b(/\d+)?", re.IGNORECASE)
EXAMPLES = "write five fields such as '*/15 8-18 * * mon-fri', six with seconds last, or '@daily'"


class Cron:
    """A cron pattern: minute, hour, day, month, day of the week and, as a sixth field, second."""

    def __init__(self, pattern: str) -> None:
        _check_shape(pattern)
        try:
            self._matcher = croniter(
                RANGE_OF_ONE.sub(r"\1", pattern), datetime(2000, 1, 1, tzinfo=UTC)
            )
        except (CroniterError, ValueError, TypeError, LookupError) as error:
            reason = re.sub(r"\s+", " ", str(error)).strip().rstrip(".")
            raise ConfigurationError(
                f"cron pattern {pattern!r}: cannot be read ({reason}); {EXAMPLES}"
            ) from error
        hours: object = self._matcher.expanded[HOUR_FIELD]
        self.every_hour = hours == ["*"] or hours == [*range(HOURS_A_DAY)]
        """whether it names no hour: such a pattern goes on while an hour is repeated"""
        if next(self.walls(datetime(2000, 1, 1)), None) is None:  # noqa: DTZ001 - a wall's clock
            raise ConfigurationError(
                f"cron pattern {pattern!r}: never fires; no year has such a day"
            )

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Give the wall-clock times after one of them, ascending, to the second."""
        # Readers in several threads share the pattern, not the place they are at.
        matcher = copy.copy(self._matcher)
        seconds = after.replace(tzinfo=UTC).timestamp()
        while True:
            try:
                seconds = float(matcher.get_next(float, start_time=seconds))
                yield datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
            except (CroniterBadDateError, OverflowError, ValueError):
                return  # no such day any more, or the end of the calendar


@lru_cache(maxsize=16_384)
def find_cron(pattern: str) -> Cron:
    """Give the pattern read. Raises ConfigurationError if it is none, or never fires."""
    return Cron(pattern)


def _check_shape(pattern: object) -> None:
    if not isinstance(pattern, str) or not pattern.strip() or len(pattern) > LONGEST_PATTERN:
        raise ConfigurationError(f"cron pattern {pattern!r:.100}: not a pattern; {EXAMPLES}")
    if not pattern.lstrip().startswith("@") and len(pattern.split()) not in FIELDS:
        raise ConfigurationError(
            f"cron pattern {pattern!r}: has {len(pattern.split())} fields; {EXAMPLES}"
        )
    if HASHED_OR_RANDOM.search(pattern):
        raise ConfigurationError(
            f"cron pattern {pattern!r}: H and R are not the same on every machine; "
            "write the value, and use jitter= to spread jobs"
        )
