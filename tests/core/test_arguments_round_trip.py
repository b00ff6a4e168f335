"""Arguments arrive at the task as what was given to enqueue."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from jobqueue import ArgumentError
from jobqueue.core.arguments import Signature
from tests.core.rich_types import (
    CUSTOMER,
    MONEY,
    NOON,
    ORDER,
    SOME_ID,
    Attachment,
    ByAlias,
    Colour,
    Customer,
    Level,
    Money,
    Order,
    Point,
    Upload,
)


def taking(annotation: object):
    """Make a function with one parameter of this type."""

    def function(value):
        return value

    function.__annotations__ = {"value": annotation}
    return function


def delivered(function, *args, **kwargs):
    """Give what `function` returns when called as a worker calls it."""
    signature = Signature("task", function)
    positional, by_name = signature.decode(signature.encode(signature.bind(args, kwargs)))
    return function(*positional, **by_name)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 7),
        (int, 2**200),
        (int, -1),
        (float, 0.1),
        (float, 1e300),
        (float, math.inf),
        (float, -math.inf),
        (bool, True),
        (str, "text"),
        (str, ""),
        (str, "ünï ☃ \U0001f600"),
        (str, 'quotes " and \\ and \n'),
        (str, "a literal \\u0000 in text"),
        (str, "\\\\u0000"),
        (str, "\\"),
        (None, None),
        (datetime, NOON),
        (datetime, NOON.replace(tzinfo=None)),
        (datetime, NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30)))),
        (date, date(2030, 2, 28)),
        (time, time(23, 59, 59, 1)),
        (timedelta, timedelta(days=2, seconds=5, microseconds=1)),
        (timedelta, timedelta(seconds=-1)),
        (UUID, SOME_ID),
        (Decimal, Decimal("19.90")),
        (Decimal, Decimal("0.1000000000000000000000000001")),
        (Path, Path("/srv/data")),
        (bytes, b"\xff\x00 anything \xfe"),
        (bytes, b""),
        (Colour, Colour.BLUE),
        (Level, Level.HIGH),
        (Literal["a", "b"], "b"),
        (Money, MONEY),
        (Order, ORDER),
        (Customer, CUSTOMER),
        (Point, {"x": 1.5, "y": -2.0}),
        (Attachment, Attachment(b"plain")),
        (Attachment, Attachment(b"abcd")),  # also valid base64: must not be taken for it
        (Attachment, Attachment(b"\xff\x00\xfe")),
        (Attachment, Attachment(b"", math.inf)),
        (Upload, Upload(content=b"plain")),
        (Upload, Upload(content=b"abcd")),
        (ByAlias, ByAlias(userId=7)),
        (Optional[int], None),  # noqa: UP045 - the older way of writing it must work too
        (int | str, "5"),
        (int | str, 5),
        (Annotated[int, Field(gt=0)], 5),
        (list, [1, "two", None]),
        (dict, {"a": [1, {"b": None}]}),
        (list[datetime], [NOON]),
        (Sequence[int], [1, 2]),
        (Mapping[str, UUID], {"k": SOME_ID}),
        pytest.param(set[str], {"a", "b"}, id="set of texts, in no order"),
        (frozenset[int], frozenset({1, 2})),
        (tuple[int, str], (1, "one")),
        (tuple[Decimal, ...], (Decimal("0.1"), Decimal(2))),
        (dict[UUID, Money], {SOME_ID: MONEY}),
        (dict[int, str], {1: "one"}),
        (dict[str, list[bytes]], {"k": [b"\xff", b""]}),
        (dict[Colour, list[tuple[date, Money | None]]], {Colour.RED: [(NOON.date(), None)]}),
        (list[Order | Customer], [ORDER, CUSTOMER]),
        (Any, {"plain": [1, 2.5, "x", None, True]}),
        (object, [1]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_value_arrives_as_what_was_enqueued(annotation, value):
    arrived = delivered(taking(annotation), value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize(
    "upload", [Upload(content=b"\xff\x00\xfe"), Upload(content=b"", weight=math.inf)], ids=repr
)
def test_what_a_models_own_settings_cannot_carry_is_refused_when_enqueued(upload):
    signature = Signature("task", taking(Upload))
    try:
        stored = signature.encode({"value": upload})
    except ArgumentError as refused:
        assert refused.parameter == "value"  # noqa: PT017 - being refused is one of two good ends
    else:
        assert signature.decode(stored)[1] == {"value": upload}


def test_a_datetime_keeps_its_offset():
    moment = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert delivered(taking(datetime), moment).utcoffset() == timedelta(hours=5, minutes=30)


def test_not_a_number_arrives_as_not_a_number():
    assert math.isnan(delivered(taking(float), math.nan))
    assert math.isnan(delivered(taking(list[float]), [1.0, math.nan])[1])
    assert math.isnan(delivered(taking(Attachment), Attachment(b"", math.nan)).weight)


def test_a_value_of_a_near_type_arrives_as_what_the_task_takes():
    assert delivered(taking(UUID), str(SOME_ID)) == SOME_ID
    assert delivered(taking(datetime), "2030-06-01T12:30:15.123456Z") == NOON
    assert delivered(taking(Money), {"amount": "19.90", "currency": "CHF"}) == MONEY


def test_an_annotation_written_as_text_is_understood():
    assert delivered(taking("datetime"), NOON) == NOON  # resolved among this module's names


class Shape(enum.StrEnum):
    ROUND = "round"


def every_kind(first, /, second: int, third: datetime = NOON, *, fourth: Shape, fifth=5, **more):
    return first, second, third, fourth, fifth, more


def test_every_kind_of_parameter_is_filled():
    assert delivered(every_kind, "one", 2, fourth=Shape.ROUND) == ("one", 2, NOON, "round", 5, {})
    later = NOON + timedelta(days=1)
    assert delivered(every_kind, "one", 2, later, fourth=Shape.ROUND, fifth=None, extra=[1]) == (
        "one",
        2,
        later,
        Shape.ROUND,
        None,
        {"extra": [1]},
    )


def test_parameters_may_be_given_by_name_or_by_position():
    assert delivered(every_kind, "one", second=2, fourth="round")[:2] == ("one", 2)


def test_a_default_is_taken_from_the_function_that_runs_and_not_from_the_one_that_enqueued():
    def old(a: int = 1):
        return a

    def new(a: int = 2):
        return a

    stored = Signature("task", old).encode({})
    assert json.loads(stored) == {}
    args, kwargs = Signature("task", new).decode(stored)
    assert new(*args, **kwargs) == 2


def test_a_default_need_not_fit_its_annotation():
    def function(a: int = None): ...  # noqa: RUF013 - people write this

    assert delivered(function) is None


def optional_positions(a: int = 1, b: int = 2, /):
    return a, b


def test_a_positional_only_default_is_kept_when_a_later_one_is_given_by_name():
    signature = Signature("task", optional_positions)
    positional, by_name = signature.decode(signature.encode({"b": 5}))
    assert optional_positions(*positional, **by_name) == (1, 5)


def test_a_task_without_parameters_takes_nothing():
    def nothing():
        return "ran"

    assert delivered(nothing) == "ran"


def test_the_stored_json_is_an_object_by_parameter_name():
    stored = Signature("task", every_kind).encode(
        {"first": 1, "second": 2, "third": NOON, "fourth": Shape.ROUND, "extra": ["x", None]}
    )
    assert json.loads(stored) == {
        "first": 1,
        "second": 2,
        "third": "2030-06-01T12:30:15.123456Z",
        "fourth": "round",
        "extra": ["x", None],
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\\u0", max_size=5), inner)
    ),
    max_leaves=10,
)


@given(json_values)
def test_plain_data_without_annotation_arrives_unchanged(value):
    def function(value):
        return value

    assert delivered(function, value) == value


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
    st.binary(max_size=50),
)
def test_rich_values_arrive_unchanged(moment, amount, key, data):
    def function(moment: datetime, amount: Decimal, key: UUID, data: dict[str, bytes]):
        return moment, amount, key, data

    given = (moment, amount, key, {"data": data})
    assert delivered(function, *given) == given
