"""Arguments that do not fit are refused when enqueued, and the parameter is named."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import pytest
from pydantic import Field

from jobqueue import ArgumentError, JobQueue, TaskError
from jobqueue.core.arguments import ARGUMENTS_LIMIT_BYTES, Signature
from jobqueue.core.outcome import InvalidArguments
from tests.core.rich_types import Colour, Customer, Money

if TYPE_CHECKING:
    from nowhere import Missing


def charge(user_id: int, amount: Money, note: str = "", *, colour: Colour = Colour.RED) -> None: ...


def receive(blob: bytes, note: str, anything: Any = None, **more) -> None: ...


def bounded(share: Annotated[float, Field(ge=0, le=1)], customer: Customer) -> None: ...


GOOD_MONEY = Money(1, "EUR")  # type: ignore[arg-type]


def encode(function, *args, **kwargs) -> str:
    signature = Signature("task", function)
    return signature.encode(signature.bind(args, kwargs))


def refusal(function, *args, **kwargs) -> ArgumentError:
    with pytest.raises(ArgumentError) as refused:
        encode(function, *args, **kwargs)
    return refused.value


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "parameter", "said"),
    [
        (charge, ("seven", GOOD_MONEY), {}, "user_id", "'seven'"),
        (charge, (None, GOOD_MONEY), {}, "user_id", "None"),
        (charge, (7.5, GOOD_MONEY), {}, "user_id", "7.5"),
        (charge, (7, "cheap"), {}, "amount", "'cheap'"),
        (charge, (7, {"amount": "x"}), {}, "amount", "at amount"),
        (charge, (7, GOOD_MONEY, 5), {}, "note", "5"),
        (charge, (7, GOOD_MONEY), {"colour": "green"}, "colour", "'green'"),
        (charge, (7,), {}, "amount", "missing"),
        (charge, (), {}, "user_id", "missing"),
        (charge, (7, GOOD_MONEY), {"user": 7}, "user", "not a parameter"),
        (charge, (7, GOOD_MONEY), {"user_id": 7}, "user_id", "once"),
        (charge, (7, GOOD_MONEY, "", Colour.RED), {}, None, "4 given by position, 3 taken"),
        (bounded, (2, {"name": "x"}), {}, "share", "less than or equal to 1"),
        (bounded, (1, {"name": "x", "addresses": [{}]}), {}, "customer", "at addresses.0.street"),
        (receive, (b"", "x"), {"anything": object()}, "anything", "object"),
        (receive, (b"", "x"), {"extra": object()}, "extra", "object"),
        (receive, (b"", "x"), {"anything": threading.Lock()}, "anything", "lock"),
        (receive, (b"", "x"), {"anything": {"deep": [object()]}}, "anything", "object"),
        (receive, (b"", "a\x00b"), {}, "note", "NUL"),
        (receive, (b"", "\x00"), {}, "note", "NUL"),
        (receive, (b"", "\\\x00"), {}, "note", "NUL"),
        (receive, (b"", "x"), {"anything": ["a\x00"]}, "anything", "NUL"),
        (receive, (b"", "x"), {"anything": {"a\x00": 1}}, "anything", "NUL"),
        (receive, (b"\x00", "a\x00b"), {}, "note", "NUL"),
        (receive, (b"", "\ud800"), {}, "note", "surrogate"),
        (receive, (b"", "x"), {"anything": "\udc80"}, "anything", "surrogate"),
        (receive, (b"", "x"), {"anything": {"\ud800": 1}}, "anything", "surrogate"),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)[:30]),
)
def test_what_does_not_fit_names_the_parameter_and_the_rule(
    function, args, kwargs, parameter, said
):
    error = refusal(function, *args, **kwargs)
    assert (error.task, error.parameter, error.row) == ("task", parameter, None)
    assert said in str(error)
    where = "arguments" if parameter is None else f"argument {parameter!r}"
    assert str(error).startswith(f"task 'task': {where}: ")


def test_a_refusal_shows_the_signature():
    assert "its signature is (user_id: " in str(refusal(charge, "seven", GOOD_MONEY))


def test_a_refusal_does_not_repeat_a_huge_value():
    assert len(str(refusal(charge, "x" * 100_000, GOOD_MONEY))) < 1_000


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("function", [charge, receive], ids=["typed", "untyped"])
def test_a_value_that_cannot_even_be_shown_is_refused(function):
    arguments = (Unprintable(), GOOD_MONEY) if function is charge else (b"", "x", Unprintable())
    assert refusal(function, *arguments).parameter in {"user_id", "anything"}


def test_data_that_contains_itself_is_refused():
    endless: list[object] = []
    endless.append(endless)
    assert refusal(receive, b"", "x", endless).parameter == "anything"


def test_arguments_may_take_one_mebibyte_and_not_a_byte_more():
    frame = len('{"blob":"","note":""}')
    assert len(encode(receive, b"", "x" * (ARGUMENTS_LIMIT_BYTES - frame))) == 1_048_576
    error = refusal(receive, b"", "x" * (ARGUMENTS_LIMIT_BYTES - frame + 1))
    assert "1,048,577 bytes" in str(error)
    assert "store the data in a table" in str(error)


def test_the_size_is_counted_in_bytes_and_not_in_characters():
    assert refusal(receive, b"", "\U0001f600" * 300_000).parameter is None


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\x00", "say \\0", "\ufffd"])
def test_text_that_only_looks_like_nul_is_allowed(text):
    signature = Signature("task", receive)
    assert signature.decode(encode(receive, b"", text))[1]["note"] == text


def test_bytes_may_hold_nul():
    signature = Signature("task", receive)
    assert signature.decode(encode(receive, b"a\x00b", "x"))[1]["blob"] == b"a\x00b"


def test_a_task_with_star_args_is_refused_when_it_is_registered():
    jobs = JobQueue()
    with pytest.raises(TaskError, match=r"task 'collect': takes \*names"):

        @jobs.task
        def collect(*names: str) -> None: ...

    assert "collect" not in jobs.tasks


def test_an_annotation_that_cannot_be_resolved_is_a_task_error_at_first_use():
    def late(value: Missing) -> None: ...

    with pytest.raises(TaskError, match="'Missing' cannot be resolved"):
        encode(late, 1)


def test_a_type_pydantic_knows_nothing_of_is_an_error_that_names_the_task():
    def locking(lock: threading.Event) -> None: ...

    with pytest.raises(TaskError, match="locking"):
        Signature("locking", locking).encode({"lock": threading.Event()})


@pytest.mark.parametrize(
    ("stored", "parameter", "said"),
    [
        ('{"user_id": "seven", "amount": {"amount": "1"}}', "user_id", "got a string"),
        ('{"user_id": 7}', "amount", "missing"),
        ('{"user_id": 7, "amount": {"amount": "1"}, "gone": 1}', "gone", "not a parameter"),
        ('{"user_id": 7, "amount": {}}', "amount", "at amount"),
        ('{"user_id": 7, "amount": {"amount": "1"}, "colour": "green"}', "colour", "got a string"),
    ],
)
def test_stored_arguments_that_no_longer_fit_name_the_parameter(stored, parameter, said):
    with pytest.raises(InvalidArguments) as refused:
        Signature("task", charge).decode(stored)
    assert f"argument {parameter!r}: " in str(refused.value)
    assert said in str(refused.value)
    assert "task 'task'" in str(refused.value)
    assert "seven" not in str(refused.value)
    assert "green" not in str(refused.value)


def test_stored_arguments_for_a_task_that_takes_none_any_more_do_not_fit():
    def nothing() -> None: ...

    with pytest.raises(InvalidArguments, match="'user_id'"):
        Signature("task", nothing).decode('{"user_id": 7}')


def test_arguments_are_not_changed_by_enqueuing_them():
    given = {"user_id": "7", "amount": {"amount": "1"}}
    Signature("task", charge).encode(given)
    assert given == {"user_id": "7", "amount": {"amount": "1"}}


def test_a_mutable_value_is_stored_as_it_was_at_the_enqueue():
    names = ["a"]
    stored = encode(receive, b"", "x", names)
    names.append("b")
    assert Signature("task", receive).decode(stored)[1]["anything"] == ["a"]


def moved(at: datetime, by: UUID) -> None: ...


def test_positions_and_names_may_be_mixed_but_nothing_may_be_given_twice():
    signature = Signature("task", moved)
    assert signature.bind((1,), {"by": 2}) == {"at": 1, "by": 2}
    with pytest.raises(ArgumentError) as refused:
        signature.bind((1, 2), {"by": 2})
    assert refused.value.parameter == "by"
