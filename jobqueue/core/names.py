"""What a task, a queue or a schedule may be called."""

from __future__ import annotations

from jobqueue.core.errors import ConfigurationError

DEFAULT_QUEUE = "default"
"""Where jobs go of which nothing else is said."""

LONGEST_TASK_NAME = 200
LONGEST_QUEUE_NAME = 63
LONGEST_SCHEDULE_NAME = 200


def check_task_name(name: str) -> str:
    """Return `name`, or raise ConfigurationError if no task may have it."""
    return _check("task", name, LONGEST_TASK_NAME)


def check_queue_name(name: str) -> str:
    """Return `name`, or raise ConfigurationError if no queue may have it."""
    return _check("queue", name, LONGEST_QUEUE_NAME)


def check_schedule_name(name: str) -> str:
    """Return `name`, or raise ConfigurationError if no schedule may have it."""
    return _check("schedule", name, LONGEST_SCHEDULE_NAME)


def _check(kind: str, name: object, longest: int) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= longest or not name.isprintable():
        raise ConfigurationError(
            f"{kind} {name!r}: not a name; use 1 to {longest} printable characters"
        )
    return name
