"""When a failed job is tried again: attempts, backoff and jitter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError

DEFAULT_ATTEMPTS = 5
MOST_ATTEMPTS = 32767
DAY_SECONDS = 86_400.0

Backoff = Callable[[int], Duration]
"""Delay before the attempt after attempt n, from 1, without its jitter."""


@dataclass(frozen=True, slots=True)
class Exponential:
    """Delays that double: 1, 2, 4, 8, 16 … seconds by default, never above `longest`."""

    first: Duration = 1.0
    factor: float = 2.0
    longest: Duration = DAY_SECONDS

    def __call__(self, attempt: int) -> float:
        """Give the delay after `attempt`, in seconds."""
        longest = to_seconds(self.longest, subject="longest delay")
        first = to_seconds(self.first, subject="first delay")
        if first == 0:
            return 0.0
        try:
            grown = first * self.factor ** (attempt - 1)
        except OverflowError:
            return longest
        return min(grown, longest)


@dataclass(frozen=True, slots=True)
class Linear:
    """Delays that grow by `step` each time, never above `longest`."""

    step: Duration = 1.0
    longest: Duration = DAY_SECONDS

    def __call__(self, attempt: int) -> float:
        """Give the delay after `attempt`, in seconds."""
        grown = to_seconds(self.step, subject="step") * attempt
        return min(grown, to_seconds(self.longest, subject="longest delay"))


@dataclass(frozen=True, slots=True)
class Constant:
    """The same delay each time."""

    delay: Duration = 1.0

    def __call__(self, attempt: int) -> float:  # noqa: ARG002 - the shape of every backoff
        """Give the delay, in seconds."""
        return to_seconds(self.delay, subject="delay")


class Retry(Exception):
    """An instruction to retry.

    As a task's option it says how: `@jobs.task(retry=Retry(attempts=8, backoff=Linear(30)))`.
    Raised from inside a job it says when: `raise Retry(after=60)`. It counts as a failed attempt.

    attempts: how often a job may be tried, the first time included; 5. None: as often as its queue
        says in the database, which each enqueue then has to ask.
    backoff: the delay after attempt n, from 1: Exponential(), Linear(), Constant() or a function of
        n that gives seconds or a timedelta.
    jitter: random part, as a share of the delay: 0.5 adds up to half of it.
    give_up_on: exceptions that no retry can help; the job is a dead letter at once.
    after: for a raised Retry, the delay instead of the backoff's; no jitter is added.

    Raises ConfigurationError for values out of range.
    """

    def __init__(
        self,
        message: str = "",
        *,
        attempts: int | None = DEFAULT_ATTEMPTS,
        backoff: Backoff = Exponential(),
        jitter: float = 0.5,
        give_up_on: type[Exception] | tuple[type[Exception], ...] = (),
        after: Duration | None = None,
    ) -> None:
        super().__init__(message or "the job asked to be retried")
        self.attempts = None if attempts is None else check_attempts(attempts)
        if not isinstance(jitter, int | float) or not 0 <= jitter <= 1:  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            raise ConfigurationError(f"jitter {jitter!r}: not a share; give a number from 0 to 1")
        if not callable(backoff):
            raise ConfigurationError(
                f"backoff {backoff!r}: not callable; give Exponential(), Linear(), Constant() or "
                "a function of the attempt's number"
            )
        kinds = give_up_on if isinstance(give_up_on, tuple) else (give_up_on,)
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
                raise ConfigurationError(f"give_up_on {kind!r}: not an exception class; name some")
        self.backoff = backoff
        self.jitter = jitter
        self.give_up_on = kinds
        self.after_seconds = None if after is None else to_seconds(after, subject="Retry after")

    def delay_seconds(self, attempt: int, chance: float) -> float:
        """Give the delay after `attempt` has failed, in seconds.

        chance: a random number from 0 to 1, which places the jitter.
        """
        delay = to_seconds(self.backoff(attempt), subject=f"backoff after attempt {attempt}")
        return delay * (1 + self.jitter * chance)


def check_attempts(attempts: int) -> int:
    """Return `attempts`, or raise ConfigurationError if it is no possible number of them."""
    if isinstance(attempts, bool) or not isinstance(attempts, int):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(f"attempts {attempts!r}: not a whole number; give at least 1")
    if not 1 <= attempts <= MOST_ATTEMPTS:
        raise ConfigurationError(f"attempts {attempts!r}: not from 1 to {MOST_ATTEMPTS}")
    return attempts
