"""Keys of a caller's own: once within a retention, and one waiting job at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError

Key = str | Callable[..., str]
"""The key itself, or a function that makes it of the job's arguments, by name."""

DEFAULT_RETENTION_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Unique:
    """At most one job of a task waits under a key; what a second enqueue does instead.

    Made by `skip`, `replace`, `debounce` or `throttle`. The key is given up when the job is
    claimed, so a job that runs, or runs again, never stands in the way of a new one.

    window_seconds: for debounce the longest wait, for throttle the time between two due times.
    delay_seconds: for debounce, the delay of each enqueue.
    """

    key: Key
    mode: str
    window_seconds: float | None = None
    delay_seconds: float | None = None

    @classmethod
    def skip(cls, key: Key) -> Unique:
        """Keep the job that waits, as it is."""
        return cls(key, "skip")

    @classmethod
    def replace(cls, key: Key) -> Unique:
        """Give the job that waits the new arguments, options and time."""
        return cls(key, "replace")

    @classmethod
    def debounce(cls, key: Key, *, delay: Duration, longest: Duration) -> Unique:
        """Run `delay` after the last enqueue, with its arguments.

        longest: after the first enqueue it runs at the latest, however many follow.
        """
        return cls(
            key,
            "debounce",
            to_seconds(longest, subject="debounce longest"),
            to_seconds(delay, subject="debounce delay"),
        )

    @classmethod
    def throttle(cls, key: Key, *, window: Duration) -> Unique:
        """Run the first at once, then at most one per `window`, with the last arguments.

        The windows follow the times at which jobs are due, not those at which a worker comes to
        start them. Cancelling the job that waits does not open the window sooner.
        """
        return cls(key, "throttle", to_seconds(window, subject="throttle window"))


def make_key(key: Key, values: Mapping[str, Any], *, subject: str) -> str:
    """Give the key of a job with `values`. Any text serves, of any length, the empty one too.

    Raises ConfigurationError if it is no text, or text that PostgreSQL cannot keep.
    """
    made = key if isinstance(key, str) else key(**_taken(key, values))
    if not isinstance(made, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(f"{subject} {made!r}: not text; give a str, or a function of one")
    if "\x00" in made or not _encodable(made):
        raise ConfigurationError(
            # Not shown: it may be made of an argument that is secret.
            f"{subject} of {len(made)} characters: holds NUL or a lone surrogate, which PostgreSQL "
            "cannot keep; remove it"
        )
    return made


def _taken(key: Callable[..., str], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give those of `values` that the function takes: it need not name them all."""
    names = _TAKES.get(key, ())
    if key not in _TAKES:
        names = _TAKES[key] = _names(key)
    return values if names is None else {name: values[name] for name in names if name in values}


# Remembered for as long as the function lives; it may hold on to anything.
_TAKES: WeakKeyDictionary[Callable[..., str], tuple[str, ...] | None] = WeakKeyDictionary()


def _names(key: Callable[..., str]) -> tuple[str, ...] | None:
    parameters = inspect.signature(key).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return None
    return tuple(one.name for one in parameters)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
