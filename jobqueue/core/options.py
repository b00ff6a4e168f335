"""What may be said of a job when it is enqueued, beside its arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.names import check_queue_name
from jobqueue.core.priority import Priority, to_priority
from jobqueue.core.retry import DEFAULT_ATTEMPTS, check_attempts


class UsingOptions(TypedDict, total=False):
    """What `task.using(...)` takes.

    queue: another queue.
    priority: a number or a level's name; lower runs first.
    attempts: how often the job may be tried, the first time included.
    delay: not before this while has passed, by the database's clock.
    run_at: not before this moment; it must carry a time zone.
    job_id: the job's id; to repeat an enqueue whose COMMIT was not answered, harmlessly.
    """

    queue: str
    priority: int | str
    attempts: int
    delay: Duration
    run_at: datetime
    job_id: UUID


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

    def using(self, options: UsingOptions) -> EnqueueOptions:
        """Give a copy with `options` over these.

        Raises ConfigurationError for an unknown option or a value out of range.
        """
        changes: dict[str, object] = {}
        for name, value in options.items():
            if name not in UsingOptions.__annotations__:
                known = ", ".join(UsingOptions.__annotations__)
                raise ConfigurationError(f"option {name!r}: unknown; use one of {known}")
            changes.update(_checked(name, value))
        if "delay" in options and "run_at" in options:
            raise ConfigurationError("delay and run_at: both given; give one of them")
        return replace(self, **changes)  # pyright: ignore[reportArgumentType] - checked one by one above


def _checked(name: str, value: object) -> dict[str, object]:
    """Give the fields that option `name` sets."""
    match name, value:
        case "queue", str():
            return {"queue": check_queue_name(value)}
        case "priority", int() | str():
            return {"priority": to_priority(value)}
        case "attempts", int():
            return {"max_attempts": check_attempts(value)}
        case "delay", _:
            seconds = to_seconds(value, subject="delay")  # pyright: ignore[reportArgumentType] - it checks
            return {"delay_seconds": seconds, "run_at": None}
        case "run_at", datetime():
            if value.tzinfo is None:
                raise ConfigurationError(
                    f"run_at {value!r}: has no time zone; use datetime.now(timezone.utc) or a zone"
                )
            return {"run_at": value, "delay_seconds": None}
        case "job_id", UUID():
            return {"job_id": value}
        case _:
            wanted = UsingOptions.__annotations__[name]
            shown = getattr(wanted, "__forward_arg__", wanted)
            raise ConfigurationError(f"option {name} {value!r}: wrong type; give {shown}")
