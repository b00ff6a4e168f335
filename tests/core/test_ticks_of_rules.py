"""When the ticks of a rule are: tables, and ten years compared with an independent reckoning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

import cronsim
import pytest
from dateutil import tz as dateutil_tz
from hypothesis import given, settings
from hypothesis import strategies as st

from jobqueue import ConfigurationError
from jobqueue.core.schedules.cron import Cron
from jobqueue.core.schedules.rule import EPOCH, Rule

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def first(rule: Rule, after: str, count: int = 3) -> list[str]:
    """Give the ticks after a moment as clocks in the rule's zone show them."""
    zone = ZoneInfo(rule.timezone)
    return [tick.astimezone(zone).isoformat() for tick in islice(rule.after(at(after)), count)]


@pytest.mark.parametrize(
    ("pattern", "ticks"),
    [
        ("*/20 * * * *", ["2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"]),
        ("5-10/5 8,9 * * *", ["2026-01-01T08:05", "2026-01-01T08:10", "2026-01-01T09:05"]),
        ("0 0 * jan-mar mon", ["2026-01-05T00:00", "2026-01-12T00:00", "2026-01-19T00:00"]),
        ("0 0 L * *", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]),
        ("0 0 * * 5#2", ["2026-01-09T00:00", "2026-02-13T00:00", "2026-03-13T00:00"]),
        ("0 0 * * L5", ["2026-01-30T00:00", "2026-02-27T00:00", "2026-03-27T00:00"]),
        ("0 0 13 * fri", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("0 0 1 2-2 *", ["2026-02-01T00:00", "2027-02-01T00:00", "2028-02-01T00:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("@monthly", ["2026-02-01T00:00", "2026-03-01T00:00", "2026-04-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
    ],
)
def test_a_pattern_means_what_cron_means_by_it(pattern, ticks):
    found = first(Rule(cron=pattern), "2026-01-01T00:00:00+00:00")
    assert found == [f"{tick}:00+00:00" for tick in ticks]


@pytest.mark.parametrize(
    ("pattern", "seconds"),
    [("* * * * * *", [1, 2, 3]), ("* * * * * */20", [20, 40, 60]), ("* * * * * 30", [30, 90, 150])],
)
def test_a_sixth_field_at_the_end_is_seconds(pattern, seconds):
    start = at("2026-01-01T00:00:00+00:00")
    found = [tick - start for tick in islice(Rule(cron=pattern).after(start), 3)]
    assert found == [timedelta(seconds=one) for one in seconds]


@pytest.mark.parametrize(
    ("pattern", "zone", "after", "ticks"),
    [
        # Forward: what is skipped runs once, as late as the clocks were put forward.
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-28T12:00:00+01:00",
            ["2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        (
            "59 2 * * *",
            BERLIN,
            "2026-03-29T03:30:00+02:00",
            ["2026-03-29T03:59:00+02:00", "2026-03-30T02:59:00+02:00"],
        ),
        # What is skipped and what is not may be one moment, which is one tick.
        (
            "0 2,3 * * *",
            BERLIN,
            "2026-03-28T12:00:00+01:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
        ),
        (
            "*/30 * * * *",
            BERLIN,
            "2026-03-29T01:15:00+01:00",
            [
                "2026-03-29T01:30:00+01:00",
                "2026-03-29T03:00:00+02:00",
                "2026-03-29T03:30:00+02:00",
                "2026-03-29T04:00:00+02:00",
            ],
        ),
        # Back: what names its hour runs once, the first time.
        (
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00:00+02:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        (
            "30 2 * * *",
            BERLIN,
            "2026-10-25T02:15:00+01:00",
            ["2026-10-26T02:30:00+01:00"],
        ),
        # What names none goes on: an hour is an hour.
        (
            "*/30 * * * *",
            BERLIN,
            "2026-10-25T01:30:00+02:00",
            [
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:00:00+01:00",
            ],
        ),
        (
            "*/30 * * * *",
            BERLIN,
            "2026-10-25T02:15:00+01:00",
            ["2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"],
        ),
        # Half an hour, and a whole day.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00+10:30",
            ["2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"],
        ),
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T00:00:00-10:00",
            ["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"],
        ),
    ],
)
def test_when_clocks_are_put_forward_or_back(pattern, zone, after, ticks):
    assert first(Rule(cron=pattern, timezone=zone), after, len(ticks)) == ticks


def test_intervals_are_counted_from_their_anchor_in_both_directions():
    rule = Rule(every_seconds=600, anchor=at("2026-06-01T00:03:00+00:00"))
    assert first(rule, "2026-01-01T00:00:00+00:00", 2) == [
        "2026-01-01T00:03:00+00:00",
        "2026-01-01T00:13:00+00:00",
    ]
    assert first(rule, "2027-01-01T00:03:00+00:00", 1) == ["2027-01-01T00:13:00+00:00"]


def test_a_moment_is_one_tick():
    rule = Rule(at=at("2026-06-01T00:00:00+00:00"))
    assert first(rule, "2026-01-01T00:00:00+00:00") == ["2026-06-01T00:00:00+00:00"]
    assert first(rule, "2026-06-01T00:00:00+00:00") == []


def test_start_and_end_belong_to_it():
    rule = Rule(
        every_seconds=3600,
        starts_at=at("2026-01-01T05:00:00+00:00"),
        ends_at=at("2026-01-01T07:00:00+00:00"),
    )
    hours = [tick.hour for tick in rule.after(at("2026-01-01T00:00:00+00:00"))]
    assert hours == [5, 6, 7]


def test_the_end_of_the_calendar_is_the_end():
    rules = [Rule(every_seconds=3600), Rule(cron="@hourly", timezone="Pacific/Kiritimati")]
    for rule in [*rules, Rule(every_seconds=10**10)]:
        late = at("9999-12-28T22:30:00+00:00")
        assert len(list(islice(rule.after(late), 5))) <= 2
        assert list(rule.after(at("9999-12-31T22:30:00+00:00"))) == []


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(10, 100_000), st.integers(0, 10**5))
def test_the_latest_ticks_are_the_end_of_all_of_them(limit, every, span):
    rule = Rule(every_seconds=every)
    start, end = at("2026-01-01T00:00:00+00:00"), None
    end = start + timedelta(seconds=span)
    everything = list(takewhile(lambda tick: tick <= end, islice(rule.after(start), 10**6)))
    following = next(rule.after(max(end, start)))
    assert rule.passed(start, end, limit) == (everything[-limit:], following)


def test_the_latest_ticks_after_a_year_are_found_without_making_all_of_them():
    rule = Rule(cron="* * * * * *", timezone=BERLIN)
    end = at("2026-10-25T01:30:00+00:00")
    found, following = rule.passed(end - timedelta(days=366), end, 100)
    assert following == end + timedelta(seconds=1)
    assert [end - tick for tick in found] == [timedelta(seconds=99 - one) for one in range(100)]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("", "not a pattern"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "cannot be read"),
        ("* 24 * * *", "cannot be read"),
        ("* * 0 * *", "cannot be read"),
        ("*/0 * * * *", "cannot be read"),
        ("* * * * 5#6", "cannot be read"),
        ("@reboot", "cannot be read"),
        ("@every 5m", "cannot be read"),
        ("tomorrow at noon please ok", "cannot be read"),
        ("H * * * *", "not the same on every machine"),
        ("R * * * *", "not the same on every machine"),
        ("R(0-30) * * * *", "not the same on every machine"),
        ("*" * 300, "not a pattern"),
        (None, "not a pattern"),
        (5, "not a pattern"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_remedy(pattern, said):
    with pytest.raises(ConfigurationError, match=said):
        Cron(pattern)


# An independent reckoning: cronsim matches the pattern on the clock on the wall, dateutil turns
# that into moments. Neither is used by the product for it.

numbers = st.integers


def field(low: int, high: int, *, names: list[str] = []) -> st.SearchStrategy[str]:  # noqa: B006
    value = numbers(low, high).map(str)
    spans = st.tuples(numbers(low, high), numbers(low, high)).map(sorted)
    one = st.one_of(
        value,
        spans.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        numbers(2, max(2, (high - low) // 2)).map(lambda step: f"*/{step}"),
        *([st.sampled_from(names)] if names else []),
    )
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


minutes = field(0, 59)
hours = st.one_of(field(0, 23), numbers(0, 4).map(str), st.sampled_from(["1-3", "0,2", "*/2"]))
days = st.one_of(st.just("*"), field(1, 31), st.just("L"))
months = field(1, 12, names=["jan", "mar", "oct", "nov"])
weekdays = st.one_of(
    st.just("*"),
    field(0, 6, names=["sun", "mon", "sat"]),
    st.tuples(numbers(0, 6), numbers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
)
# In the day of the month and of the week cronsim reads `*/2` as Debian does, croniter as others do.
restricted = st.tuples(days, weekdays).filter(
    lambda pair: "*" in pair and "*/" not in "".join(pair)
)
patterns = st.tuples(minutes, hours, restricted, months).map(
    lambda parts: f"{parts[0]} {parts[1]} {parts[2][0]} {parts[3]} {parts[2][1]}"
)
ZONES = sorted(
    {
        BERLIN, "UTC", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu",
        "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Pacific/Chatham",
        "America/St_Johns", "Asia/Tehran", "Europe/London", "America/Havana", "Asia/Gaza",
        "Antarctica/Troll", "Pacific/Kiritimati",
    }
    & available_timezones()
)  # fmt: skip
START = datetime(2010, 1, 1, tzinfo=UTC)
YEARS = 10
MOST = 4_000


def reckoned(pattern: str, zone_name: str, start: datetime, end: datetime) -> list[datetime]:
    """Give the ticks from `start` to `end`, at most so many, by other means."""
    zone = dateutil_tz.gettz(zone_name)
    assert zone is not None
    day = timedelta(days=2)
    wall = (start - day).replace(tzinfo=None)
    every_hour = set(cronsim.CronSim(pattern, wall).hours) == set(range(24))
    found: set[datetime] = set()
    for wall_time in cronsim.CronSim(pattern, wall):
        if wall_time > (end + day).replace(tzinfo=None):
            break
        local = wall_time.replace(tzinfo=zone)
        found.add(dateutil_tz.resolve_imaginary(local).astimezone(UTC))
        if every_hour and dateutil_tz.datetime_ambiguous(local):
            found.add(dateutil_tz.enfold(local, 1).astimezone(UTC))
    return sorted(tick for tick in found if start < tick <= end)


@settings(max_examples=40, deadline=None)
@given(patterns, st.sampled_from(ZONES), st.data())
def test_ten_years_of_ticks_are_those_of_an_independent_reckoning(pattern, zone, data):
    end = START + timedelta(days=365 * YEARS)
    try:
        ticks = Rule(cron=pattern, timezone=zone).after(START)
    except ConfigurationError:
        assert reckoned(pattern, zone, START, end) == []
        return
    ticks = list(islice(takewhile(lambda tick: tick <= end, ticks), MOST))
    if len(ticks) == MOST:
        # A dense pattern: its first thousands, and the days around each change of the clocks.
        end = ticks[-1]
    assert ticks == reckoned(pattern, zone, START, end)
    if ticks:
        # From wherever one starts, the rest is the same.
        number = data.draw(st.integers(0, len(ticks) - 1))
        again = Rule(cron=pattern, timezone=zone).after(ticks[number])
        assert list(islice(again, 5)) == ticks[number + 1 : number + 6] or len(ticks) < number + 6


@settings(max_examples=40, deadline=None)
@given(patterns, st.sampled_from(ZONES), st.integers(0, 10_000_000), st.integers(0, 9))
def test_the_days_around_a_change_are_those_of_an_independent_reckoning(
    pattern, zone, seconds, year
):
    """Changes of clocks are searched for; from any second near one the ticks are the same."""
    name = ZoneInfo(zone)
    first_day = START + timedelta(days=365 * year)
    changes = [
        day
        for day in (first_day + timedelta(days=n) for n in range(365))
        if day.astimezone(name).utcoffset()
        != (day + timedelta(days=1)).astimezone(name).utcoffset()
    ]
    for change in changes:
        start = change + timedelta(seconds=seconds % 86_400)
        end = start + timedelta(days=2)
        try:
            rule = Rule(cron=pattern, timezone=zone).after(start)
        except ConfigurationError:
            return
        assert list(takewhile(lambda tick, end=end: tick <= end, rule)) == reckoned(
            pattern, zone, start, end
        )


def test_the_epoch_is_where_intervals_count_from():
    assert first(Rule(every_seconds=86_400), EPOCH.isoformat(), 1) == ["1970-01-02T00:00:00+00:00"]
