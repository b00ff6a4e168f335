"""What has no type arrives as it was given, or is refused; and numbers have an end."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretStr

from jobqueue import ArgumentError, Secret
from jobqueue.core.arguments import Signature


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int


class Box(BaseModel):
    anything: Any


def unannotated(value): ...
def anything(value: Any): ...
def some_object(value: object): ...
def hidden(value: Annotated[Any, Secret]): ...
def in_dict(value: dict[str, Any] | None): ...
def extra(**more): ...


LOOSE = [unannotated, anything, some_object, hidden, extra]


def encoded(function, value: object) -> str:
    return Signature("task", function).encode({"value": value})


def refusal(function, value: object) -> ArgumentError:
    with pytest.raises(ArgumentError) as refused:
        encoded(function, value)
    assert refused.value.parameter == "value"
    return refused.value


@pytest.mark.parametrize("function", LOOSE)
@pytest.mark.parametrize(
    "value",
    [
        b"text",
        datetime(2030, 1, 2),  # noqa: DTZ001 - a naive one is as good
        date(2030, 1, 2),
        Decimal("1.5"),
        UUID(int=7),
        {1, 2},
        {1: 2},
        {None: 1},
        {"deep": [1, (b"x",)]},
        math.nan,
        math.inf,
        Colour.RED,
        Point(1),
        SecretStr("x"),
    ],
    ids=repr,
)
def test_what_json_would_give_back_as_something_else_is_refused(function, value):
    assert "annotate the parameter with its type" in str(refusal(function, value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"deep": [math.nan]}], ids=repr)
def test_a_number_that_json_does_not_have_is_called_by_its_name(value):
    said = str(refusal(unannotated, value))
    assert "argument 'value': holds NaN or Infinity, which JSON would give back as" in said


def test_so_it_is_within_a_container_that_leaves_open_what_it_holds():
    def bare(value: dict): ...
    def listed(value: list): ...
    def mapping(value: Mapping[str, object]): ...

    for function, value in [
        (in_dict, {"at": UUID(int=7)}),
        (bare, {1: 2}),
        (listed, [b"x"]),
        (mapping, {"a": Decimal(1)}),
    ]:
        assert "annotate" in str(refusal(function, value)), function


@pytest.mark.parametrize("function", [*LOOSE, in_dict])
def test_what_json_has_arrives_as_it_was(function):
    value = {"a": [1, 2.5, "x", None, True, {"b": 1e22}], "c": "**********"}
    signature = Signature("task", function)
    assert signature.decode(encoded(function, value)) == ([], {"value": value})


def test_a_tuple_arrives_as_a_list():
    signature = Signature("task", unannotated)
    assert signature.decode(encoded(unannotated, (1, ("x",))))[1] == {"value": [1, ["x"]]}


LARGEST = 10**4300 - 1


def number(value: int): ...
def optional(value: int | None): ...
def many(value: list[int]): ...
def dated(value: int, at: date | None = None): ...
def dated_plainly(value: int, at: date = date(2030, 1, 2)): ...
def extra_numbers(**more: int): ...


@pytest.mark.parametrize(
    ("function", "wrap"),
    [
        *((one, lambda n: n) for one in [number, optional, dated, dated_plainly, extra_numbers]),
        *((one, lambda n: n) for one in [unannotated, anything]),
        (many, lambda n: [n]),
        (unannotated, lambda n: {"deep": [n]}),
    ],
)
def test_an_integer_may_be_as_large_as_can_be_read_back(function, wrap):
    signature = Signature("task", function)
    for largest in (LARGEST, -LARGEST):
        value = wrap(largest)
        assert signature.decode(encoded(function, value))[1] == {"value": value}
    for more in (LARGEST + 1, -LARGEST - 1, 10**5000, 10**140_000):
        assert "more than 4,300 digits" in str(refusal(function, wrap(more)))


def test_of_several_arguments_the_integer_is_named():
    def two(text: str, value: int): ...

    with pytest.raises(ArgumentError) as refused:
        Signature("task", two).encode({"text": "x" * 5000, "value": LARGEST + 1})
    assert refused.value.parameter == "value"
    assert Signature("task", two).encode({"text": "x" * 5000, "value": 1})


@pytest.mark.parametrize("text", ["**********", "a ********** b"])
def test_ten_asterisks_are_text_like_any_other(text):
    def optional_text(value: str | None): ...
    def listed(value: list[str]): ...
    def beside_a_secret(value: str | None, password: SecretStr | None = None): ...

    assert Signature("task", optional_text).encode({"value": text})
    assert Signature("task", listed).encode({"value": [text]})
    signature = Signature("task", beside_a_secret)
    given = {"value": text, "password": SecretStr("**********")}
    assert signature.decode(signature.encode(given))[1] == given


def test_a_secret_in_a_field_of_any_type_is_not_lost():
    def boxed(value: Box): ...

    assert "asterisks" in str(refusal(boxed, Box(anything=SecretStr("x"))))
    assert encoded(boxed, Box(anything="**********"))


def typed(at: datetime, n: int = 5, *, note: str = "", **more: UUID): ...


def test_checked_gives_what_the_task_would_get():
    signature = Signature("task", typed)
    given = {"at": "2030-01-02T03:04:05", "n": "7", "key": str(UUID(int=1))}
    assert signature.checked(given) == {
        "at": datetime(2030, 1, 2, 3, 4, 5),  # noqa: DTZ001 - as given
        "n": 7,
        "note": "",
        "key": UUID(int=1),
    }


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"at": "never"}, "at"),
        ({}, "at"),
        ({"at": "2030-01-02", "x": 1}, "x"),
    ],
)
def test_checked_refuses_what_encode_refuses(values, parameter):
    signature = Signature("task", typed)
    for call in (signature.checked, signature.encode):
        with pytest.raises(ArgumentError) as refused:
            call(values)
        assert refused.value.parameter == parameter


def test_an_annotation_that_cannot_be_hashed_is_an_annotation_all_the_same():
    def noted(value: Annotated[int, ["a note"]]): ...

    assert encoded(noted, 1) == '{"value":1}'
