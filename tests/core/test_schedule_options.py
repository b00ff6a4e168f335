"""What is said of a schedule is checked where it is said."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from jobqueue import ArgumentError, ConfigurationError, JobQueue, Unique
from jobqueue.core.schedules import zones
from jobqueue.store.schedules import as_json, to_json

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001
LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def jobs() -> JobQueue:
    return JobQueue()


@pytest.mark.parametrize(
    ("pattern", "options", "said"),
    [
        (None, {}, "needs one rule"),
        ("@daily", {"every": 60}, "only one of them"),
        (None, {"every": 60, "at": LATER}, "only one of them"),
        ("0 0 30 2 *", {}, "never fires"),
        ("@daily", {"tz": "Europe/Atlantis"}, "unknown; use a name of the IANA"),
        ("@daily", {"tz": "../../etc/passwd"}, "time zone '../../etc/passwd': unknown"),
        ("@daily", {"tz": ""}, "time zone '': unknown"),
        ("@daily", {"tz": 3}, "time zone 3: unknown"),
        (None, {"at": NAIVE}, "at .*: has no time zone; use datetime"),
        ("@daily", {"start": NAIVE}, "start .*: has no time zone"),
        ("@daily", {"end": NAIVE}, "end .*: has no time zone"),
        (None, {"every": 60, "anchor": NAIVE}, "anchor .*: has no time zone"),
        ("@daily", {"anchor": LATER}, "anchor: is for intervals"),
        ("@daily", {"start": LATER, "end": LATER - timedelta(1)}, "before the start"),
        ("@yearly", {"start": LATER + timedelta(1), "end": LATER + timedelta(2)}, "never fires"),
        (None, {"at": "tomorrow"}, "wrong type; give a datetime"),
        (None, {"at": datetime.max.replace(tzinfo=UTC)}, "not within the years"),
        (None, {"at": datetime.min.replace(tzinfo=UTC)}, "not within the years"),
        (None, {"every": 0}, "every 0: not in whole seconds, 1 or more"),
        (None, {"every": 0.5}, "not in whole seconds"),
        (None, {"every": -1}, "out of range"),
        (None, {"every": timedelta(milliseconds=1500)}, "not in whole seconds"),
        ("@daily", {"count": 0}, "count 0: not a number from 1"),
        ("@daily", {"count": True}, "count True: not a number"),
        ("@daily", {"jitter": -1}, "jitter -1: out of range"),
        ("@daily", {"missed": "never"}, "missed 'never': unknown; use one of skip, once, all"),
        ("@daily", {"missed_limit": 0}, "missed_limit 0: not a number"),
        ("@daily", {"missed_after": 7200}, "too long; give an hour at most"),
        ("@daily", {"overlap": "wait"}, "overlap 'wait': unknown; use one of allow, skip, queue"),
        ("@daily", {"remove_when_done": 1}, "wrong type; give True or False"),
        ("@daily", {"timezone": "UTC"}, "option 'timezone': unknown; use one of every"),
        ("@daily", {"name": ""}, "schedule '': not a name"),
    ],
)
def test_what_cannot_be_used_is_refused(jobs: JobQueue, pattern, options: dict[str, Any], said):
    @jobs.task
    def work() -> None: ...

    with pytest.raises(ConfigurationError, match=said):
        jobs.schedule(work, pattern, **options)
    assert jobs.schedules == {}


def test_a_machine_without_zone_data_says_so(jobs: JobQueue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zones, "available_timezones", set)
    monkeypatch.setattr(zones, "ZoneInfo", _no_zone)
    zones.find_zone.cache_clear()
    with pytest.raises(ConfigurationError, match="no time zone data; run: pip install tzdata"):
        zones.find_zone("Europe/Berlin")
    zones.find_zone.cache_clear()


def _no_zone(name: str) -> None:
    raise zoneinfo.ZoneInfoNotFoundError(name)


def test_a_pattern_that_fires_each_second_is_a_pattern(jobs: JobQueue):
    @jobs.schedule("* * * * * *")
    def tick() -> None: ...

    assert set(jobs.schedules) == {"tick"}


def test_the_decorator_takes_a_task_or_makes_one(jobs: JobQueue):
    @jobs.schedule("@daily", tz="Europe/Berlin")
    @jobs.task(queue="reports", priority=1)
    def report() -> str:
        return "done"

    @jobs.schedule(every=timedelta(minutes=5), name="often", args={"word": "hello"})
    async def say(word: str) -> None: ...

    assert report() == "done"
    assert set(jobs.tasks) == {"report", "say"}
    daily, often = jobs.schedules["report"], jobs.schedules["often"]
    assert (daily.queue, daily.priority, daily.rule.timezone) == ("reports", 1, "Europe/Berlin")
    assert (often.task, often.args, often.rule.every_seconds) == ("say", '{"word":"hello"}', 300)


def test_one_task_may_have_several_schedules_under_several_names(jobs: JobQueue):
    @jobs.task
    def work(kind: str = "a") -> None: ...

    jobs.schedule(work, "@daily")
    with pytest.raises(ConfigurationError, match="declared twice; give one of them another name"):
        jobs.schedule(work, "@hourly")
    jobs.schedule(work.using(queue="slow"), "@hourly", name="hourly", args={"kind": "b"})
    assert jobs.schedules["hourly"].queue == "slow"


def test_arguments_are_checked_where_the_schedule_is_declared(jobs: JobQueue):
    @jobs.task
    def work(number: int) -> None: ...

    with pytest.raises(ArgumentError, match="number"):
        jobs.schedule(work, "@daily")
    with pytest.raises(ArgumentError, match="number"):
        jobs.schedule(work, "@daily", args={"number": "many"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delay": 5}, "delay is for single jobs"),
        ({"run_at": LATER}, "run_at is for single jobs"),
        ({"job_id": UUID(int=1)}, "job_id is for single jobs"),
        ({"idempotency_key": "k"}, "idempotency_key is for single jobs"),
        ({"unique": Unique.skip("k")}, "unique is for single jobs"),
        ({"timeout": 5}, "timeout is for single jobs"),
    ],
)
def test_options_of_a_single_job_are_refused(jobs: JobQueue, options: dict[str, Any], said: str):
    @jobs.task
    def work() -> None: ...

    with pytest.raises(ConfigurationError, match=said):
        jobs.schedule(work.using(**options), "@daily")
    jobs.schedule(work.using(queue="slow", priority="low", attempts=2), "@daily")
    [made] = jobs.schedules.values()
    assert (made.queue, made.priority, made.max_attempts) == ("slow", 10, 2)


class Moment(datetime):
    """As of a library for dates."""


def test_moments_may_be_of_a_class_of_the_applications_own(jobs: JobQueue):
    @jobs.task
    def work() -> None: ...

    jobs.schedule(work, at=Moment(2030, 1, 1, 3, tzinfo=timezone(timedelta(hours=1))))
    assert '"at":"2030-01-01T02:00:00+00:00"' in to_json(as_json(jobs.schedules["work"]))
