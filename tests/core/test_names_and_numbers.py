"""Names, priorities and durations: what is accepted, what is refused, and how that is said."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ConfigurationError, Priority
from jobqueue.core.duration import LONGEST_SECONDS, to_seconds
from jobqueue.core.names import check_queue_name, check_task_name
from jobqueue.core.priority import HIGHEST, LOWEST, to_priority


@pytest.mark.parametrize("name", ["a", "send_mail", "billing.invoices:make", "größe 7", "Ж" * 63])
@pytest.mark.parametrize("check", [check_task_name, check_queue_name])
def test_a_printable_name_is_accepted_as_it_is(check, name):
    assert check(name) == name


@pytest.mark.parametrize(
    ("check", "longest"), [(check_task_name, 200), (check_queue_name, 63)], ids=["task", "queue"]
)
def test_a_name_may_be_so_long_and_no_longer(check, longest):
    assert check("x" * longest) == "x" * longest
    with pytest.raises(ConfigurationError, match=str(longest)):
        check("x" * (longest + 1))


@pytest.mark.parametrize("name", ["", "a\nb", "a\tb", "a\x00b", "\ud800", None, 5, b"bytes", ["x"]])
@pytest.mark.parametrize(
    ("check", "kind"), [(check_task_name, "task"), (check_queue_name, "queue")]
)
def test_what_is_no_name_is_refused_with_its_kind_and_value(check, kind, name):
    with pytest.raises(ConfigurationError) as refused:
        check(name)
    assert str(refused.value).startswith(f"{kind} {name!r}: ")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Priority.CRITICAL, 1),
        (Priority.NORMAL, 5),
        (Priority.LOW, 10),
        ("critical", 1),
        ("Normal", 5),
        ("LOW", 10),
        (0, 0),
        (-7, -7),
        ("7", 7),
        ("-7", -7),
        (LOWEST, -32768),
        (HIGHEST, 32767),
    ],
    ids=repr,
)
def test_a_priority_is_a_number_or_a_level_in_any_case(value, number):
    found = to_priority(value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    "value", ["urgent", "", "1.5", LOWEST - 1, HIGHEST + 1, "32768", True, None, 1.0, [1]], ids=repr
)
def test_what_is_no_priority_is_refused_by_value(value):
    with pytest.raises(ConfigurationError) as refused:
        to_priority(value)
    assert str(refused.value).startswith("priority ")
    assert "use" in str(refused.value)


def test_the_named_levels_run_in_their_order():
    assert sorted(Priority) == [Priority.CRITICAL, Priority.NORMAL, Priority.LOW]


@given(st.integers(min_value=LOWEST, max_value=HIGHEST))
def test_every_number_in_range_is_a_priority_also_as_text(number):
    assert to_priority(number) == to_priority(str(number)) == number


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (0, 0),
        (5, 5),
        (0.25, 0.25),
        (timedelta(minutes=5), 300),
        (timedelta(milliseconds=1), 0.001),
        (timedelta(0), 0),
        (LONGEST_SECONDS, LONGEST_SECONDS),
    ],
    ids=repr,
)
def test_a_duration_is_a_timedelta_or_a_number_of_seconds(duration, seconds):
    found = to_seconds(duration, subject="delay")
    assert found == seconds
    assert type(found) is float


@pytest.mark.parametrize(
    "duration",
    [
        -1,
        -0.001,
        timedelta(seconds=-1),
        math.inf,
        -math.inf,
        math.nan,
        10**400,
        LONGEST_SECONDS * 2,
        True,
        None,
        "5",
        [5],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_duration_is_refused_by_subject(duration):
    with pytest.raises(ConfigurationError, match=r"^lease "):
        to_seconds(duration, subject="lease")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=300_000)))
def test_a_timedelta_and_its_seconds_are_the_same_duration(duration):
    assert to_seconds(duration, subject="x") == to_seconds(duration.total_seconds(), subject="x")
