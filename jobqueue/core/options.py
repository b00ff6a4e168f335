"""What may be said of a job when it is enqueued, beside its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import FunctionType, MethodType
from typing import Any, TypedDict
from uuid import UUID

from jobqueue.core.duration import (
    Duration,
    to_expiry_seconds,
    to_seconds,
    to_timeout_seconds,
)
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.keys import DEFAULT_RETENTION_SECONDS, Key, Unique, make_key
from jobqueue.core.limits import Flow, check_whole, named_key
from jobqueue.core.names import check_queue_name
from jobqueue.core.priority import Priority, to_priority
from jobqueue.core.retry import DEFAULT_ATTEMPTS, check_attempts

Keys = tuple[str | None, str | None]
"""The idempotency key and the unique key of one job."""

NO_KEYS: Keys = (None, None)


class UsingOptions(TypedDict, total=False):
    """What `task.using(...)` takes.

    queue: another queue.
    priority: a number or a level's name; lower runs first.
    attempts: how often the job may be tried, the first time included.
    delay: not before this while has passed, by the database's clock.
    run_at: not before this moment; it must carry a time zone.
    job_id: the job's id; to repeat an enqueue whose COMMIT was not answered, harmlessly.
    idempotency_key: text, or a function of the arguments. The same key of the same task again
        changes nothing until the retention ends, also after the job has ended.
    idempotency_retention: how long; 30 days.
    unique: at most one waiting job under a key; see Unique.
    timeout: how long an attempt may take, in place of what the task says; also as text, `30s`.
    expires_in: not started this long after it was due, the job is cancelled; None: never.
    expires_at: the same at this moment; it must carry a time zone.
    concurrency_key: under the task's concurrency limit, in place of its argument's value.
    weight: for how many starts it counts in the task's rate limit.
    """

    queue: str
    priority: int | str
    attempts: int
    delay: Duration
    run_at: datetime
    job_id: UUID
    idempotency_key: Key
    idempotency_retention: Duration
    unique: Unique
    timeout: Duration | str
    expires_in: Duration | str | None
    expires_at: datetime | None
    concurrency_key: str
    weight: int


@dataclass(frozen=True, slots=True)
class EnqueueOptions:
    """Checked options of one enqueue.

    queue, priority, max_attempts: None leaves them to what the task's worker noted in the database.
    """

    queue: str | None = "default"
    priority: int | None = int(Priority.NORMAL)
    max_attempts: int | None = DEFAULT_ATTEMPTS
    delay_seconds: float | None = None
    run_at: datetime | None = None
    job_id: UUID | None = None
    idempotency_key: Key | None = None
    idempotency_seconds: float = DEFAULT_RETENTION_SECONDS
    unique: Unique | None = None
    timeout_seconds: float | None = None
    expires_seconds: float | None = None
    expires_at: datetime | None = None
    flow: Flow | None = None
    concurrency_key: str | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing is left to decide: the usual options given, and none of the others."""
        return (
            self.queue is not None
            and self.priority is not None
            and self.max_attempts is not None
            and self.delay_seconds is None
            and self.run_at is None
            and self.job_id is None
            and self.idempotency_key is None
            and self.unique is None
            and self.timeout_seconds is None
            and not self.expires
            and self.flow is None
        )

    @property
    def expires(self) -> bool:
        """Whether jobs have a deadline."""
        return self.expires_seconds is not None or self.expires_at is not None

    @property
    def keyed(self) -> bool:
        """Whether jobs have keys of the caller's own."""
        return self.idempotency_key is not None or self.unique is not None

    @property
    def loadable(self) -> bool:
        """Whether jobs have nothing that a bulk load does not carry."""
        bare = not self.keyed and self.timeout_seconds is None and self.flow is None
        return bare and not self.expires

    def keys(self, values: Mapping[str, Any]) -> Keys:
        """Give the keys of a job with `values`, as the task would get them.

        Raises ConfigurationError if one is no text that PostgreSQL can keep.
        """
        once, unique = self.idempotency_key, self.unique
        return (
            None if once is None else make_key(once, values, subject="idempotency_key"),
            None if unique is None else make_key(unique.key, values, subject="unique key"),
        )

    def using(self, options: UsingOptions) -> EnqueueOptions:
        """Give a copy with `options` over these.

        Raises ConfigurationError for an unknown option or a value out of range.
        """
        changes: dict[str, object] = {}
        for name, value in options.items():
            if name not in READERS:
                known = ", ".join(READERS)
                raise ConfigurationError(f"option {name!r}: unknown; use one of {known}")
            changes.update(_checked(name, value))
        weight = changes.pop("weight", None)
        if "concurrency_key" in options and (self.flow is None or self.flow.concurrency is None):
            raise ConfigurationError(
                "concurrency_key: the task is under no concurrency limit; "
                "give it one with @jobs.task(concurrency=...)"
            )
        if weight is not None:
            if self.flow is None or self.flow.rate is None:
                raise ConfigurationError(
                    "weight: the task is under no rate limit; "
                    "give it one with @jobs.task(rate_limit=...)"
                )
            changes["flow"] = replace(self.flow, weight=weight)
        if "delay" in options and "run_at" in options:
            raise ConfigurationError("delay and run_at: both given; give one of them")
        if "expires_in" in options and "expires_at" in options:
            raise ConfigurationError("expires_in and expires_at: both given; give one of them")
        chosen = replace(self, **changes)  # pyright: ignore[reportArgumentType] - checked one by one above
        if chosen.run_at and chosen.expires_at and chosen.expires_at <= chosen.run_at:
            raise ConfigurationError(
                f"expires_at {chosen.expires_at.isoformat()}: not after run_at "
                f"{chosen.run_at.isoformat()}; the job would never start"
            )
        return chosen


def _checked(name: str, value: object) -> dict[str, object]:
    """Give the fields that option `name` sets. Raises ConfigurationError for a bad value."""
    kinds, read = READERS[name]
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigurationError(f"option {name} {value!r}: wrong type; give {wanted}")
    return read(value)


EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""As the database has them: a moment that can be read in any time zone."""


def _moment(value: datetime, *, subject: str) -> datetime:
    if value.tzinfo is None:
        raise ConfigurationError(
            f"{subject} {value!r}: has no time zone; use datetime.now(timezone.utc) or a zone"
        )
    if not EARLIEST <= value <= LATEST:
        raise ConfigurationError(f"{subject} {value!r}: not within the years 1 to 9999 everywhere")
    return value


def _expires_at(value: datetime | None) -> dict[str, object]:
    moment = None if value is None else _moment(value, subject="expires_at")
    return {"expires_at": moment, "expires_seconds": None}


def _expires_in(value: Duration | str | None) -> dict[str, object]:
    seconds = None if value is None else to_expiry_seconds(value)
    return {"expires_seconds": seconds, "expires_at": None}


Reader = Callable[[Any], dict[str, object]]

DURATION = (timedelta, int, float)
KEY = (str, FunctionType, MethodType)

READERS: dict[str, tuple[tuple[type, ...], Reader]] = {
    "queue": ((str,), lambda value: {"queue": check_queue_name(value)}),
    "priority": ((int, str), lambda value: {"priority": to_priority(value)}),
    "attempts": ((int,), lambda value: {"max_attempts": check_attempts(value)}),
    "delay": (
        DURATION,
        lambda value: {"delay_seconds": to_seconds(value, subject="delay"), "run_at": None},
    ),
    "run_at": (
        (datetime,),
        lambda value: {"run_at": _moment(value, subject="run_at"), "delay_seconds": None},
    ),
    "job_id": ((UUID,), lambda value: {"job_id": value}),
    "idempotency_key": (KEY, lambda value: {"idempotency_key": value}),
    "idempotency_retention": (
        DURATION,
        lambda value: {"idempotency_seconds": to_seconds(value, subject="idempotency_retention")},
    ),
    "unique": ((Unique,), lambda value: {"unique": value}),
    "timeout": (
        (*DURATION, str),
        lambda value: {"timeout_seconds": to_timeout_seconds(value)},
    ),
    "expires_in": ((*DURATION, str, type(None)), _expires_in),
    "expires_at": ((datetime, type(None)), _expires_at),
    "concurrency_key": ((str,), lambda value: {"concurrency_key": named_key(value)}),
    "weight": ((int,), lambda value: {"weight": check_whole(value, "weight")}),
}
"""Each option's types, and what it sets."""
