"""Batches: jobs of one task that one call of its function takes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError, WrongOutcomes

MOST_JOBS = 10_000
SHORTEST_WAIT_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Batch:
    """How jobs are taken together: `@jobs.task(batch=Batch(size=100, wait=2.0))`.

    size: so many at most. wait: how long a worker that has found the first waits for others.

    Raises ConfigurationError for values out of range.
    """

    size: int = 100
    wait: Duration = 1.0

    def __post_init__(self) -> None:
        """Refuse what no worker can do."""
        size: Any = self.size  # callers may be untyped
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_JOBS:
            raise ConfigurationError(f"batch size {size!r}: not from 1 to {MOST_JOBS:,}")
        seconds = to_seconds(self.wait, subject="batch wait")
        if not SHORTEST_WAIT_SECONDS <= seconds <= LONGEST_WAIT_SECONDS:
            raise ConfigurationError(f"batch wait {self.wait!r}: not from 10 ms to an hour")

    @property
    def wait_seconds(self) -> float:
        """The wait in seconds."""
        return to_seconds(self.wait, subject="batch wait")


def outcomes(task: str, value: object, jobs: int) -> Sequence[object]:
    """Give each job's outcome, of what a task returned for so many: an exception or its result.

    Raises WrongOutcomes unless that is nothing, or a list with one for each.
    """
    if value is None:
        return [None] * jobs
    if not isinstance(value, list | tuple):
        raise WrongOutcomes(
            f"task {task!r}: returned a {type(value).__name__} for a batch of {jobs}; return "
            "nothing, or a list with one outcome for each job, in their order"
        )
    given = cast("Sequence[object]", value)
    if len(given) != jobs:
        raise WrongOutcomes(
            f"task {task!r}: returned {len(given)} outcomes for a batch of {jobs}; return one for "
            "each job, in their order, or nothing when all are done"
        )
    return [_outcome(task, one) for one in given]


def _outcome(task: str, given: object) -> object:
    """Give one outcome. A class of exceptions in its place is a mistake, and no result."""
    if isinstance(given, type) and issubclass(cast("type[Any]", given), BaseException):
        return WrongOutcomes(
            f"task {task!r}: the class {given.__name__} as an outcome; make an instance of it"
        )
    return given
