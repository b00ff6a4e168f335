"""Backoff, jitter and what Retry accepts."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ConfigurationError, Constant, Exponential, Linear, Retry
from jobqueue.core.retry import DAY_SECONDS, MOST_ATTEMPTS

attempts = st.integers(min_value=1, max_value=MOST_ATTEMPTS)
chances = st.floats(min_value=0, max_value=1)
seconds = st.floats(min_value=0, max_value=1e9)


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Exponential(), [1, 2, 4, 8, 16]),
        (Exponential(first=0.5, factor=3), [0.5, 1.5, 4.5, 13.5]),
        (Exponential(first=timedelta(minutes=1)), [60, 120, 240]),
        (Exponential(first=10, longest=25), [10, 20, 25, 25]),
        (Exponential(longest=timedelta(seconds=3)), [1, 2, 3, 3]),
        (Exponential(first=4, factor=0.5), [4, 2, 1]),
        (Exponential(first=0), [0, 0, 0]),
        (Linear(), [1, 2, 3, 4, 5]),
        (Linear(step=30, longest=100), [30, 60, 90, 100, 100]),
        (Linear(step=timedelta(minutes=2)), [120, 240, 360]),
        (Constant(), [1, 1, 1]),
        (Constant(7.5), [7.5, 7.5]),
        (Constant(timedelta(hours=1)), [3600, 3600]),
    ],
    ids=repr,
)
def test_a_backoff_gives_its_delays_in_seconds(backoff, delays):
    assert [backoff(attempt) for attempt in range(1, len(delays) + 1)] == delays


def test_the_default_retry_waits_1_2_4_8_seconds_between_five_attempts():
    retry = Retry()
    assert retry.attempts == 5
    assert [retry.delay_seconds(attempt, 0) for attempt in range(1, 5)] == [1, 2, 4, 8]


def test_the_default_jitter_adds_up_to_half_of_the_delay():
    retry = Retry(backoff=Constant(10))
    assert [retry.delay_seconds(1, chance) for chance in (0, 0.5, 1)] == [10, 12.5, 15]


def test_a_retry_without_jitter_waits_exactly_its_backoff():
    assert Retry(backoff=Constant(10), jitter=0).delay_seconds(1, 1) == 10


@pytest.mark.parametrize("given", [lambda n: n * 7, lambda n: timedelta(seconds=n * 7)])
def test_a_custom_backoff_gives_seconds_or_a_timedelta(given):
    assert Retry(backoff=given, jitter=0).delay_seconds(3, 0) == 21


@given(attempts, chances)
def test_jitter_never_shortens_a_delay_and_never_adds_more_than_half(attempt, chance):
    plain = Exponential()(attempt)
    assert plain <= Retry().delay_seconds(attempt, chance) <= plain * 1.5


@given(attempts, chances, seconds, st.floats(min_value=0, max_value=1))
def test_jitter_stays_within_its_share_of_the_delay(attempt, chance, delay, share):
    waited = Retry(backoff=Constant(delay), jitter=share).delay_seconds(attempt, chance)
    assert delay <= waited <= delay * (1 + share)


@given(attempts, seconds, st.floats(min_value=0, max_value=1e6), seconds)
def test_an_exponential_backoff_never_exceeds_its_longest(attempt, first, factor, longest):
    assert 0 <= Exponential(first=first, factor=factor, longest=longest)(attempt) <= longest


@given(attempts, seconds, seconds)
def test_a_linear_backoff_never_exceeds_its_longest(attempt, step, longest):
    assert 0 <= Linear(step=step, longest=longest)(attempt) <= longest


@given(attempts, st.floats(min_value=1, max_value=100))
def test_an_exponential_backoff_never_shrinks_when_its_factor_is_one_or_more(attempt, factor):
    backoff = Exponential(factor=factor)
    assert backoff(attempt) <= backoff(attempt + 1)


@pytest.mark.parametrize("backoff", [Exponential(), Exponential(factor=1e300), Linear(step=100)])
@pytest.mark.parametrize("attempt", [1_025, MOST_ATTEMPTS, 10**9])
def test_a_huge_attempt_number_waits_the_longest_delay_and_does_not_overflow(backoff, attempt):
    assert backoff(attempt) == DAY_SECONDS
    assert Retry(backoff=backoff).delay_seconds(attempt, 1) == DAY_SECONDS * 1.5


def test_no_delay_stays_no_delay_however_often_it_is_doubled():
    assert Exponential(first=0)(MOST_ATTEMPTS) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"attempts": MOST_ATTEMPTS + 1},
        {"attempts": 2.0},
        {"attempts": "3"},
        {"attempts": True},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": math.nan},
        {"jitter": "half"},
        {"jitter": None},
        {"after": -1},
        {"after": math.inf},
        {"after": math.nan},
        {"after": "60"},
        {"after": True},
        {"after": timedelta(seconds=-1)},
        {"backoff": 5},
        {"backoff": "exponential"},
        {"backoff": None},
        {"give_up_on": [ValueError]},
        {"give_up_on": "ValueError"},
        {"give_up_on": (ValueError, "TypeError")},
        {"give_up_on": ValueError("instance")},
        {"give_up_on": None},
    ],
    ids=repr,
)
def test_a_retry_refuses_what_it_cannot_use(options):
    with pytest.raises(ConfigurationError) as refused:
        Retry(**options)
    assert next(iter(options)) in str(refused.value)


@pytest.mark.parametrize("options", [{"attempts": 1}, {"attempts": MOST_ATTEMPTS}, {"jitter": 1}])
def test_a_retry_accepts_the_ends_of_its_ranges(options):
    Retry(**options)


@pytest.mark.parametrize(
    "backoff",
    [
        Exponential(first=-1),
        Exponential(longest=-1),
        Exponential(first=math.nan),
        Exponential(first="1"),
        Exponential(factor=-2),
        Linear(step=-1),
        Linear(longest=math.nan),
        Constant(-1),
        Constant(math.inf),
        Constant("1"),
    ],
    ids=repr,
)
def test_a_backoff_with_a_senseless_delay_is_a_configuration_error(backoff):
    with pytest.raises(ConfigurationError):
        Retry(backoff=backoff).delay_seconds(2, 0)


def test_a_raised_retry_says_how_long_to_wait():
    assert Retry(after=timedelta(minutes=2)).after_seconds == 120
    assert Retry(after=0).after_seconds == 0
    assert Retry().after_seconds is None


def test_a_raised_retry_can_say_why():
    assert str(Retry("the API is down", after=60)) == "the API is down"
    assert str(Retry(after=60)) != ""
