"""Durations: a `timedelta`, or a number of seconds."""

from __future__ import annotations

import math
from datetime import timedelta

from jobqueue.core.errors import ConfigurationError

Duration = timedelta | float | int

# A thousand years. Python's datetime, in which people read the tables, ends with the year 9999.
LONGEST_SECONDS = 31_557_600_000.0


def to_seconds(duration: Duration, *, subject: str) -> float:
    """Give `duration` in seconds.

    subject: what the duration is of, for the error.
    Raises ConfigurationError if it is negative, not finite, or no duration at all.
    """
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, bool) or not isinstance(duration, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(
            f"{subject} {duration!r}: not a duration; give a timedelta or a number of seconds"
        )
    else:
        try:
            seconds = float(duration)
        except OverflowError:
            seconds = math.inf
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_SECONDS:
        raise ConfigurationError(
            f"{subject} {duration!r}: out of range; give zero or more seconds, up to 1,000 years"
        )
    return seconds
