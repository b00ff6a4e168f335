"""What follows from an attempt that did not complete."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import Cancel, ConfigurationError, Constant, Retry, Snooze
from jobqueue.core.outcome import Interrupted, InvalidArguments, Kind, Verdict, judge


class Refused(Exception):
    """What a task gives up on here."""


class RefusedForGood(Refused):
    """A kind of it."""


TEN = Retry(attempts=3, backoff=Constant(10), jitter=0.5)
GIVING_UP = Retry(backoff=Constant(10), give_up_on=Refused)


def verdict_on(error, *, attempt=1, max_attempts=3, retry=TEN, chance=0.0) -> Verdict:
    return judge(error, attempt=attempt, max_attempts=max_attempts, retry=retry, chance=chance)


@pytest.mark.parametrize(
    ("error", "attempt", "kind", "delay", "refund"),
    [
        (ValueError("x"), 1, Kind.RETRIED, 10, False),
        (ValueError("x"), 2, Kind.RETRIED, 10, False),
        (ValueError("x"), 3, Kind.DEAD, 0, False),
        (ValueError("x"), 4, Kind.DEAD, 0, False),
        (Retry(after=60), 1, Kind.RETRIED, 60, False),
        (Retry(after=timedelta(hours=1)), 1, Kind.RETRIED, 3600, False),
        (Retry(after=0), 1, Kind.RETRIED, 0, False),
        (Retry("as usual"), 1, Kind.RETRIED, 10, False),
        (Retry(after=60), 3, Kind.DEAD, 0, False),
        (Snooze(60), 1, Kind.SNOOZED, 60, True),
        (Snooze(timedelta(minutes=1)), 3, Kind.SNOOZED, 60, True),
        (Snooze(0), 3, Kind.SNOOZED, 0, True),
        (Cancel("no longer wanted"), 1, Kind.CANCELLED, 0, False),
        (Cancel(), 3, Kind.CANCELLED, 0, False),
        (InvalidArguments("argument 'n': missing"), 1, Kind.DEAD, 0, False),
        (Interrupted("the worker stops"), 1, Kind.HANDED_BACK, 0, True),
        (Interrupted("the worker stops"), 3, Kind.HANDED_BACK, 0, True),
        (KeyboardInterrupt(), 1, Kind.RETRIED, 10, False),
        (SystemExit(1), 3, Kind.DEAD, 0, False),
        (asyncio.CancelledError(), 1, Kind.RETRIED, 10, False),
        (TimeoutError(), 1, Kind.RETRIED, 10, False),
        (ExceptionGroup("two", [ValueError(), KeyError()]), 1, Kind.RETRIED, 10, False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_outcome_leads_where_it_should(error, attempt, kind, delay, refund):
    verdict = verdict_on(error, attempt=attempt)
    assert (verdict.kind, verdict.delay_seconds, verdict.refund) == (kind, delay, refund)


@pytest.mark.parametrize(
    "error", [ValueError("x"), Cancel("why"), InvalidArguments("x"), Retry("x", after=1)]
)
def test_the_error_is_kept_with_the_job(error):
    assert verdict_on(error).error is error


def test_a_snooze_leaves_no_error_behind():
    assert verdict_on(Snooze(5)).error is None


def test_jitter_is_added_to_the_backoff_but_not_to_an_explicit_delay():
    assert verdict_on(ValueError(), chance=1).delay_seconds == 15
    assert verdict_on(Retry(after=60), chance=1).delay_seconds == 60


@pytest.mark.parametrize("error", [Refused(), RefusedForGood()])
def test_a_job_is_dead_at_once_on_an_error_it_gives_up_on(error):
    assert verdict_on(error, retry=GIVING_UP).kind is Kind.DEAD


def test_a_job_is_tried_again_on_an_error_it_does_not_give_up_on():
    assert verdict_on(ValueError(), retry=GIVING_UP).kind is Kind.RETRIED


def test_several_errors_can_be_given_up_on():
    retry = Retry(give_up_on=(Refused, KeyError))
    kinds = [verdict_on(error, retry=retry).kind for error in (Refused(), KeyError(), OSError())]
    assert kinds == [Kind.DEAD, Kind.DEAD, Kind.RETRIED]


def test_a_job_with_one_attempt_is_dead_after_its_first_failure():
    assert verdict_on(ValueError(), max_attempts=1).kind is Kind.DEAD


def raising(_attempt):
    raise ZeroDivisionError("the backoff itself is broken")


@pytest.mark.parametrize(
    "backoff",
    [
        raising,
        lambda _: None,
        lambda _: "soon",
        lambda _: -1,
        lambda _: math.nan,
        lambda _: math.inf,
        lambda _: True,
        lambda _: 1e300,
        lambda: 1,
    ],
    ids=[
        "raises",
        "None",
        "text",
        "negative",
        "NaN",
        "infinite",
        "bool",
        "eternity",
        "no argument",
    ],
)
def test_a_broken_backoff_buries_the_job_and_does_not_lose_it(backoff):
    failure = ValueError("what went wrong in the job")
    verdict = verdict_on(failure, retry=Retry(backoff=backoff))
    assert verdict.kind is Kind.DEAD
    assert verdict.error is not None
    assert failure in (verdict.error, verdict.error.__context__)


@given(
    st.sampled_from([ValueError("x"), Retry(after=9), Snooze(9), Cancel(), Interrupted("x")]),
    st.integers(min_value=1, max_value=32767),
    st.integers(min_value=1, max_value=32767),
    st.floats(min_value=0, max_value=1),
)
def test_only_what_is_not_counted_is_refunded_and_nothing_is_retried_after_the_last_attempt(
    error, attempt, max_attempts, chance
):
    verdict = verdict_on(error, attempt=attempt, max_attempts=max_attempts, chance=chance)
    assert verdict.refund == (verdict.kind in {Kind.SNOOZED, Kind.HANDED_BACK})
    assert verdict.delay_seconds >= 0
    if attempt >= max_attempts:
        assert verdict.kind is not Kind.RETRIED


@pytest.mark.parametrize("after", [-1, math.inf, math.nan, "soon", None, timedelta(seconds=-1)])
def test_a_snooze_refuses_what_is_no_duration(after):
    with pytest.raises(ConfigurationError, match="Snooze after"):
        Snooze(after)


def test_a_cancel_says_why():
    assert str(Cancel("the order was withdrawn")) == "the order was withdrawn"
    assert str(Cancel()) != ""
