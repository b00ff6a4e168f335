"""What an alert is, and from where on there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from jobqueue.core.errors import ConfigurationError


class Rule(StrEnum):
    """What is watched. The subject of a schedule's alert is its name; that of others a queue."""

    DEPTH = "depth"
    OLDEST = "oldest"
    FAILURES = "failures"
    DEAD_LETTERS = "dead_letters"
    NO_WORKER = "no_worker"
    SCHEDULE_LATE = "schedule_late"


class Severity(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that has been beyond its limit for too long, or is within it again.

    rule, severity, subject: of what; there is one alert at a time for the three.
    active: True when it starts, False when it is over.
    value: as it was last found beyond the limit; threshold: the limit.
    since: when it was first found to be beyond; at: when the alert started, or was over.
    message: all of it in one line.
    """

    rule: Rule
    severity: Severity
    subject: str
    active: bool
    value: float
    threshold: float
    since: datetime
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Limits, and for how long each may be passed. Times are in seconds; a limit of None: no rule.

    depth, depth_for: jobs of a queue that wait.
    oldest, oldest_for: how long the job that waits longest has been due.
    failures, failures_warning, failures_for, failures_window, failures_least: the share of the jobs
        of a queue, of 1, that failed at least once, among those that ended or failed within the
        window; and how many these have to be.
    dead_letters: of a queue.
    no_worker_for: how long a queue with jobs may be without a worker.
    schedule_late: how late a tick may be.
    clear_for: how long all must be well before an alert is over.
    """

    depth: int | None = 5_000
    depth_for: float = 300.0
    oldest: float | None = 600.0
    oldest_for: float = 60.0
    failures: float | None = 0.05
    failures_warning: float | None = 0.02
    failures_for: float = 60.0
    failures_window: float = 300.0
    failures_least: int = 20
    dead_letters: int | None = 0
    no_worker_for: float | None = 60.0
    schedule_late: float | None = 60.0
    clear_for: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what is no limit: raise ConfigurationError."""
        for field in fields(self):
            value: float | None = getattr(self, field.name)
            if value is not None and not value >= 0:
                raise ConfigurationError(
                    f"alert rule {field.name}={value!r}: not a limit; give 0 or more, or None"
                )


class Queue(NamedTuple):
    """A queue with available jobs, as it is now. jobs: counted to one more than the limit."""

    name: str
    jobs: int
    oldest_seconds: float
    workers: int


class Ended(NamedTuple):
    """Jobs of a queue that lately ended or failed, and how many of them failed at least once."""

    queue: str
    jobs: int
    failed: int


class Sample(NamedTuple):
    """All that the rules look at, as it is now."""

    queues: Sequence[Queue]
    ended: Sequence[Ended]
    dead_letters: Mapping[str, int]
    late_schedules: Mapping[str, float]


class Beyond(NamedTuple):
    """A limit that is passed at this moment. for_seconds: how long it may be."""

    rule: Rule
    severity: Severity
    subject: str
    value: float
    threshold: float
    for_seconds: float


def beyond(sample: Sample, rules: AlertRules) -> Iterator[Beyond]:
    """Find the limits that are passed."""
    for queue in sample.queues:
        yield from _of_queue(queue, rules)
    for ended in sample.ended:
        yield from _of_failures(ended, rules)
    if (most := rules.dead_letters) is not None:
        for queue, number in sample.dead_letters.items():
            if number > most:
                yield Beyond(Rule.DEAD_LETTERS, Severity.CRITICAL, queue, number, most, 0.0)
    if (latest := rules.schedule_late) is not None:
        for name, seconds in sample.late_schedules.items():
            yield Beyond(Rule.SCHEDULE_LATE, Severity.CRITICAL, name, seconds, latest, 0.0)


def _of_queue(queue: Queue, rules: AlertRules) -> Iterator[Beyond]:
    name, critical = queue.name, Severity.CRITICAL
    if rules.depth is not None and queue.jobs > rules.depth:
        yield Beyond(Rule.DEPTH, critical, name, queue.jobs, rules.depth, rules.depth_for)
    if rules.oldest is not None and queue.oldest_seconds > rules.oldest:
        seconds = queue.oldest_seconds
        yield Beyond(Rule.OLDEST, critical, name, seconds, rules.oldest, rules.oldest_for)
    if rules.no_worker_for is not None and not queue.workers:
        yield Beyond(Rule.NO_WORKER, critical, name, 0, 1, rules.no_worker_for)


def _of_failures(ended: Ended, rules: AlertRules) -> Iterator[Beyond]:
    if ended.jobs < max(rules.failures_least, 1):
        return
    share = ended.failed / ended.jobs
    for limit, severity in (
        (rules.failures_warning, Severity.WARNING),
        (rules.failures, Severity.CRITICAL),
    ):
        if limit is not None and share > limit:
            yield Beyond(Rule.FAILURES, severity, ended.queue, share, limit, rules.failures_for)


def message(rule: Rule, subject: str, value: float, threshold: float, *, active: bool) -> str:
    """Say in a line what an alert is about."""
    what = "schedule" if rule is Rule.SCHEDULE_LATE else "queue"
    text = {
        Rule.DEPTH: f"more than {threshold:,.0f} jobs wait",
        Rule.OLDEST: f"its oldest job has waited for {value:,.0f} s (limit {threshold:,.0f} s)",
        Rule.FAILURES: f"{value:.1%} of its jobs fail (limit {threshold:.1%})",
        Rule.DEAD_LETTERS: f"dead letters: {value:,.0f}",
        Rule.NO_WORKER: "it has jobs, and no worker serves it",
        Rule.SCHEDULE_LATE: f"its tick is {value:,.0f} s late (limit {threshold:,.0f} s)",
    }[rule]
    return f"{what} {subject!r}: {text}" if active else f"{what} {subject!r}: over ({text})"
