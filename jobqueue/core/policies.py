"""What can be decided for a queue, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from jobqueue.core.errors import ConfigurationError
from jobqueue.core.retry import MOST_ATTEMPTS

MOST_DAYS = 365_000
MOST = 1_000_000_000


class QueuePolicies(TypedDict, total=False):
    """What `jobs.set_queue(...)` takes; None takes back what was decided.

    concurrency: how many of its jobs run at once, by all workers together.
    history_days: how long its completed and cancelled jobs are kept.
    attempts: of its jobs, where neither the enqueue nor the task says.
    target_backlog: waiting jobs for each worker, by which it is scaled; min_workers, max_workers:
        within which bounds.
    """

    concurrency: int | None
    history_days: int | None
    attempts: int | None
    target_backlog: int | None
    min_workers: int | None
    max_workers: int | None


BOUNDS = {
    "concurrency": (1, MOST),
    "history_days": (1, MOST_DAYS),
    "attempts": (1, MOST_ATTEMPTS),
    "target_backlog": (1, MOST),
    "min_workers": (0, MOST),
    "max_workers": (1, MOST),
}
COLUMNS = {name: name for name in BOUNDS} | {"attempts": "max_attempts"}


def policy_changes(queue: str, policies: Mapping[str, object]) -> dict[str, int | None]:
    """Give the columns that change, and what they hold then. Raises ConfigurationError."""
    if not policies:
        raise ConfigurationError(f"queue {queue!r}: nothing to set; give {', '.join(BOUNDS)}")
    changes: dict[str, int | None] = {}
    for name, value in policies.items():
        if name not in BOUNDS:
            raise ConfigurationError(
                f"queue {queue!r}: {name!r} cannot be decided; use one of {', '.join(BOUNDS)}"
            )
        least, most = BOUNDS[name]
        if value is None:
            changes[COLUMNS[name]] = 0 if least == 0 else None
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigurationError(
                f"queue {queue!r}: {name} {value!r}: not a whole number from {least} to {most:,}"
            )
        changes[COLUMNS[name]] = value
    low, high = changes.get("min_workers"), changes.get("max_workers")
    if low is not None and high is not None and high < low:
        raise ConfigurationError(
            f"queue {queue!r}: max_workers {high} is below min_workers {low}; raise it, or lower "
            "that"
        )
    return changes
