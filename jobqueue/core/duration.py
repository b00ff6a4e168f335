"""Durations: a `timedelta`, a number of seconds, or in some places text like `5m`."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from jobqueue.core.errors import ConfigurationError

Duration = timedelta | float | int

# A thousand years. Python's datetime, in which people read the tables, ends with the year 9999.
LONGEST_SECONDS = 31_557_600_000.0
SHORTEST_TIMEOUT_SECONDS = 0.001

_UNIT_SECONDS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


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


def read_seconds(text: str, *, subject: str = "") -> float:
    """Read `90`, `500ms`, `30s`, `5m`, `2h` or `1d` as seconds.

    subject: what the duration is of, for the error.
    Raises ConfigurationError if it is none, or too long.
    """
    named = f"{subject} " if subject else ""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)\s*", text)
    if found is None:
        raise ConfigurationError(f"{named}{text!r}: not a duration; write 90, 500ms, 5m, 2h or 1d")
    seconds = float(found[1]) * _UNIT_SECONDS[found[2]]
    if seconds > LONGEST_SECONDS:
        raise ConfigurationError(f"{named}{text[:40]!r}: too long; give 1,000 years at most")
    return seconds


def to_expiry_seconds(expires_in: Duration | str) -> float:
    """Give how long a job may wait once it is due, in seconds.

    Raises ConfigurationError if that is no duration.
    """
    if isinstance(expires_in, str):
        return read_seconds(expires_in, subject="expires_in")
    return to_seconds(expires_in, subject="expires_in")


def to_timeout_seconds(timeout: Duration | str) -> float:
    """Give how long an attempt may take, in seconds.

    Raises ConfigurationError if that is no duration, or none within which anything could be done.
    """
    if isinstance(timeout, str):
        seconds = read_seconds(timeout, subject="timeout")
    else:
        seconds = to_seconds(timeout, subject="timeout")
    if seconds < SHORTEST_TIMEOUT_SECONDS:
        raise ConfigurationError(
            f"timeout {timeout!r}: less than 1 ms; leave it out for no limit, or give some time"
        )
    return seconds
