"""Priorities: a lower number runs first."""

from __future__ import annotations

from enum import IntEnum

from jobqueue.core.errors import ConfigurationError

LOWEST = -32768
HIGHEST = 32767


class Priority(IntEnum):
    """The named levels. Any number from -32768 to 32767 may be used as well."""

    CRITICAL = 1
    NORMAL = 5
    LOW = 10


def to_priority(value: int | str) -> int:
    """Read a priority: a number, or the name of a level in any case.

    Raises ConfigurationError for anything else.
    """
    if isinstance(value, str):
        by_name = {level.name.lower(): int(level) for level in Priority}
        if value.lower() in by_name:
            return by_name[value.lower()]
        try:
            value = int(value)
        except ValueError:
            names = ", ".join(by_name)
            raise ConfigurationError(
                f"priority {value!r}: not a level; use {names} or a number"
            ) from None
    if isinstance(value, bool) or not isinstance(value, int) or not LOWEST <= value <= HIGHEST:  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(
            f"priority {value!r}: not a whole number from {LOWEST} to {HIGHEST}; "
            "use a level of Priority or an int"
        )
    return int(value)
