"""How an attempt ended, and what that means for its job."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import TimedOut, one_line
from jobqueue.core.hiding import hide
from jobqueue.core.retry import Retry

LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 16_000
LONGEST_NAMED = 300


class Snooze(Exception):
    """Raised from inside a job: run me again `after` this while; the attempt does not count."""

    def __init__(self, after: Duration) -> None:
        self.after_seconds = to_seconds(after, subject="Snooze after")
        super().__init__(f"snoozed for {self.after_seconds:g} s")


class Hold(Snooze):
    """Raised from inside a job: as Snooze, and the job's rate limit lets nothing through so long.

    For a 429 with Retry-After. Under a rate with keys, only the job's own key is held.
    """


class Cancel(Exception):
    """Raised from inside a job: end it as cancelled; no retry, no dead letter."""

    def __init__(self, reason: str = "the job cancelled itself") -> None:
        super().__init__(reason)


class InvalidArguments(Exception):
    """The stored arguments do not fit the task's signature on this worker."""


class Interrupted(Exception):
    """The worker stopped before the job was done."""


class NotBegun(Exception):
    """The worker's lease may have ended before the job began; others may have it by now."""


class Expired(Exception):
    """The job had not started by its deadline."""

    def __init__(self) -> None:
        super().__init__("not started by its deadline")


class JobStopped(BaseException):
    """Raised at a checkpoint of a job that is to stop; no `except Exception` holds it up."""


class UnstorableResult(Exception):
    """A task returned what cannot be kept as its result."""


class Described(Exception):
    """An error of another process, by what is kept of it; its class need not be known here."""

    def __init__(self, description: dict[str, str]) -> None:
        super().__init__(description["message"])
        self.description = description


class Kind(StrEnum):
    """How an attempt ended, by what happens to the job."""

    COMPLETED = "completed"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    HELD = "held"
    """snoozed, and its rate limit with it"""
    HANDED_BACK = "handed_back"
    CANCELLED = "cancelled"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be recorded of an attempt that did not complete.

    delay_seconds: before the next attempt; 0 means at once.
    refund: whether the attempt is not counted.
    error: the exception to keep with the job, or None.
    secrets: what is to be hidden where the error is shown, the longest first.
    """

    kind: Kind
    delay_seconds: float = 0.0
    refund: bool = False
    error: BaseException | None = None
    secrets: tuple[str, ...] = ()

    @property
    def began(self) -> bool:
        """Whether anything of the attempt ran."""
        if self.kind is Kind.HANDED_BACK:
            return self.error is not None or not self.refund
        return not isinstance(self.error, Expired)

    @property
    def runs_at_once(self) -> bool:
        """Whether the job is available again as soon as this is recorded."""
        again = self.kind in {Kind.RETRIED, Kind.SNOOZED, Kind.HELD, Kind.HANDED_BACK}
        return again and self.delay_seconds <= 0


def judge(
    error: BaseException, *, attempt: int, max_attempts: int, retry: Retry, chance: float
) -> Verdict:
    """Say what follows from `error`, raised by attempt number `attempt`.

    chance: a random number from 0 to 1, for the jitter.
    """
    if isinstance(error, Snooze):
        kind = Kind.HELD if isinstance(error, Hold) else Kind.SNOOZED
        return Verdict(kind, delay_seconds=error.after_seconds, refund=True)
    if isinstance(error, Cancel):
        return Verdict(Kind.CANCELLED, error=error)
    if isinstance(error, Interrupted):
        return Verdict(Kind.HANDED_BACK, refund=True, error=error)
    if isinstance(error, NotBegun):
        return Verdict(Kind.HANDED_BACK, refund=True)  # nothing ran, so nothing is kept of it
    hopeless = isinstance(error, (InvalidArguments, *retry.give_up_on))
    if hopeless or attempt >= max_attempts:
        return Verdict(Kind.DEAD, error=error)
    if isinstance(error, Retry) and error.after_seconds is not None:
        return Verdict(Kind.RETRIED, delay_seconds=error.after_seconds, error=error)
    try:
        delay = retry.delay_seconds(attempt, chance)
    except Exception as broken:  # noqa: BLE001 - a custom backoff is user code; its failure must not lose the job
        broken.__context__ = error
        return Verdict(Kind.DEAD, error=broken)
    return Verdict(Kind.RETRIED, delay_seconds=delay, error=error)


def describe(error: BaseException, secrets: Sequence[str] = ()) -> dict[str, str]:
    """Give `error` as what is kept with the job: type, message and traceback, safe for jsonb.

    secrets: what is hidden in it, the longest first.
    """
    if isinstance(error, Described):
        return error.description
    try:
        message = str(error)
    except BaseException as broken:  # noqa: BLE001 - an exception's own __str__ may raise anything
        message = f"<its message could not be read: {type(broken).__name__}>"
    try:
        # One that was never raised has no trace to show.
        trace = "".join(traceback.format_exception(error)) if error.__traceback__ else ""
    except BaseException as broken:  # noqa: BLE001 - formatting calls the same user code
        trace = f"<its traceback could not be read: {type(broken).__name__}>"
    return {
        "error": storable(_full_name(type(error))),
        "message": storable(hide(message, secrets)[:LONGEST_MESSAGE]),
        # The end of a traceback says where it happened.
        "traceback": storable(hide(trace, secrets)[-LONGEST_TRACEBACK:]),
    }


def named(error: BaseException, secrets: Sequence[str] = ()) -> str:
    """Give an error's type and message; the message is user code's, and may raise anything."""
    if isinstance(error, Described):
        name = error.description["error"].rpartition(".")[2]
    else:
        name = _read_name(lambda: type(error).__name__)
    try:
        text = hide(one_line(error), secrets)[:LONGEST_NAMED]
    except BaseException:  # noqa: BLE001 - an exception's own __str__ may raise anything
        text = "<unreadable>"
    return f"{name}: {text}" if text else name


def _full_name(kind: type[BaseException]) -> str:
    """Give a class's name with its module, where that tells something."""
    name = _read_name(lambda: kind.__qualname__)
    module = _read_name(lambda: kind.__module__)
    plain = module in {"builtins", "__main__", __name__} or kind is TimedOut
    return name if plain else f"{module}.{name}"


def _read_name(read: Callable[[], object]) -> str:
    """Give a class's own word of itself, for which a metaclass may raise anything."""
    try:
        return str(read())
    except BaseException:  # noqa: BLE001 - as of its message
        return "<unreadable>"


def storable(text: str) -> str:
    """Replace what PostgreSQL cannot keep in text: NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
