"""What may be said of a schedule, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict, cast

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.names import check_schedule_name
from jobqueue.core.schedules.rule import EPOCH, Rule
from jobqueue.core.schedules.zones import find_zone

Missed = Literal["skip", "once", "all"]
Overlap = Literal["allow", "skip", "queue"]

MISSED: tuple[Missed, ...] = ("skip", "once", "all")
OVERLAP: tuple[Overlap, ...] = ("allow", "skip", "queue")

MOST_RUNS = 2**62
MOST_CAUGHT_UP = 10_000
LONGEST_PUNCTUAL_SECONDS = 3_600.0


class ScheduleOptions(TypedDict, total=False):
    """What may be said of a schedule beside its task. Moments carry a time zone.

    every: an interval in whole seconds, instead of a cron pattern. anchor: a moment from which
        intervals are counted, in both directions; the start of 1970 in UTC.
    at: a single moment, instead.
    tz: the time zone whose clocks the pattern means, such as `Europe/Berlin`; UTC.
    start, end: no tick before the one or after the other.
    count: how many jobs it enqueues at most.
    jitter: each job is due after a random part of this while.
    missed: what becomes of ticks at which nothing ran: `skip`; `once`, one job for all of them; or
        `all`, a job each, at most `missed_limit` (100), the latest.
    missed_after: how late a tick is missed, not just late; 60 s, an hour at most.
    overlap: if the job of the tick before has not ended: `allow`; `skip` the tick; or `queue`,
        its job waits until then, and further ticks are skipped.
    remove_when_done: whether the schedule is removed when no tick is left.
    """

    every: Duration
    anchor: datetime
    at: datetime
    tz: str
    start: datetime | None
    end: datetime | None
    count: int | None
    jitter: Duration
    missed: Missed
    missed_limit: int
    missed_after: Duration
    overlap: Overlap
    remove_when_done: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """A schedule as it is kept. args: a JSON object as text; the rest as in ScheduleOptions.

    queue, priority, max_attempts: None leaves them to the task.
    """

    name: str
    task: str
    rule: Rule
    args: str = "{}"
    queue: str | None = None
    priority: int | None = None
    max_attempts: int | None = None
    jitter_seconds: int = 0
    max_runs: int | None = None
    missed: Missed = "once"
    missed_limit: int = 100
    missed_after_seconds: float = 60.0
    overlap: Overlap = "allow"
    remove_when_done: bool = False


def to_rule(cron: str | None, options: ScheduleOptions) -> Rule:
    """Read when the ticks are.

    Raises ConfigurationError if that is said in no way or in two, or if it is never.
    """
    every, at = options.get("every"), options.get("at")
    if (cron is not None) + (every is not None) + (at is not None) != 1:
        raise ConfigurationError(
            "schedule: needs one rule; give a cron pattern, every= or at=, and only one of them"
        )
    if every is None and "anchor" in options:
        raise ConfigurationError("anchor: is for intervals; give every= as well")
    zone = options.get("tz", "UTC")
    find_zone(zone)
    start, end = _moment(options, "start"), _moment(options, "end")
    if start is not None and end is not None and end < start:
        raise ConfigurationError(
            f"end {end.isoformat()}: before the start, {start.isoformat()}; exchange them"
        )
    rule = Rule(
        cron=cron,
        every_seconds=None if every is None else _whole_seconds("every", every, least=1),
        at=_moment(options, "at"),
        timezone=zone,
        anchor=_moment(options, "anchor") or EPOCH,
        starts_at=start,
        ends_at=end,
    )
    if next(rule.after(EPOCH - timedelta(days=1)), None) is None:
        raise ConfigurationError("schedule: never fires; it has no tick between start and end")
    return rule


def define(
    name: str,
    task: str,
    cron: str | None,
    options: ScheduleOptions,
    **job: Any,  # noqa: ANN401 - checked by whoever knows the task
) -> Definition:
    """Check everything that is said of a schedule.

    job: args, queue, priority and max_attempts of its jobs.
    Raises ConfigurationError for an unknown option or a value out of range.
    """
    for option in options:
        if option not in ScheduleOptions.__annotations__:
            known = ", ".join(ScheduleOptions.__annotations__)
            raise ConfigurationError(f"option {option!r}: unknown; use one of {known}")
    remove = options.get("remove_when_done", False)
    if not isinstance(remove, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(f"remove_when_done {remove!r}: wrong type; give True or False")
    count = options.get("count")
    missed_after = to_seconds(options.get("missed_after", 60.0), subject="missed_after")
    if missed_after > LONGEST_PUNCTUAL_SECONDS:
        raise ConfigurationError(f"missed_after {missed_after:g} s: too long; give an hour at most")
    return Definition(
        name=check_schedule_name(name),
        task=task,
        rule=to_rule(cron, options),
        jitter_seconds=_whole_seconds("jitter", options.get("jitter", 0), least=0),
        max_runs=None if count is None else _number("count", count, MOST_RUNS),
        missed=cast("Missed", _one_of("missed", options.get("missed", "once"), MISSED)),
        missed_limit=_number("missed_limit", options.get("missed_limit", 100), MOST_CAUGHT_UP),
        missed_after_seconds=missed_after,
        overlap=cast("Overlap", _one_of("overlap", options.get("overlap", "allow"), OVERLAP)),
        remove_when_done=remove,
        **job,
    )


def _moment(options: Mapping[str, Any], name: str) -> datetime | None:
    """Read a moment to the second, in UTC."""
    value: object = options.get(name)
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name} {value!r}: wrong type; give a datetime")
    if value.tzinfo is None:
        raise ConfigurationError(
            f"{name} {value!r}: has no time zone; "
            "use datetime(..., tzinfo=ZoneInfo('Europe/Berlin')) or timezone.utc"
        )
    try:
        moment = value.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        moment = None
    # Not at the very end: a moment is to be read in any time zone.
    if moment is None or not EPOCH <= moment < datetime(9999, 12, 30, tzinfo=UTC):
        raise ConfigurationError(f"{name} {value!r}: not within the years 1970 to 9999")
    return moment


def _whole_seconds(name: str, duration: Duration, *, least: int) -> int:
    seconds = to_seconds(duration, subject=name)
    if seconds != int(seconds) or seconds < least:
        raise ConfigurationError(
            f"{name} {duration!r}: not in whole seconds, {least} or more; ticks are to the second"
        )
    return int(seconds)


def _number(name: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigurationError(f"{name} {value!r}: not a number from 1 to {most:,}")
    return value


def _one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigurationError(f"{name} {value!r}: unknown; use one of {', '.join(known)}")
    return str(value)
