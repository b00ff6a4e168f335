"""A task whose signature changed reads its old jobs, or says which argument does not fit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from jobqueue import ArgumentError
from jobqueue.core.arguments import Signature
from jobqueue.core.outcome import InvalidArguments


def old(user_id: int, note: str = "") -> None: ...


STORED = Signature("task", old).encode({"user_id": 7, "note": "hi"})


def read(function, stored: str = STORED):
    return Signature("task", function).decode(stored)


def test_what_old_jobs_can_still_be_read_as_is_read():
    def reordered(*, note: str, user_id: int) -> None: ...
    def with_default(user_id: int, note: str = "", loud: bool = False) -> None: ...
    def wider(user_id: int | str, note: str | None = None) -> None: ...
    def more(user_id: int, **rest: str) -> None: ...
    def unannotated(user_id, note): ...
    def by_position(user_id: int, note: str, /) -> None: ...
    def number(user_id: float, note: str) -> None: ...

    values = {"user_id": 7, "note": "hi"}
    for function in (reordered, with_default, wider, more, unannotated, number):
        assert read(function) == ([], values), function
    assert read(by_position) == ([7, "hi"], {})


def test_what_they_cannot_be_read_as_names_the_argument():
    def renamed(account_id: int, note: str = "") -> None: ...
    def removed(user_id: int) -> None: ...
    def added(user_id: int, note: str, reason: str) -> None: ...
    def retyped(user_id: int, note: date) -> None: ...
    def narrowed(user_id: int, **rest: int) -> None: ...

    for function, argument in [
        (renamed, "account_id"),
        (removed, "note"),
        (added, "reason"),
        (retyped, "note"),
        (narrowed, "note"),
    ]:
        with pytest.raises(InvalidArguments, match=f"argument '{argument}'") as refused:
            read(function)
        assert "another signature of task 'task'" in str(refused.value)


def test_extra_keyword_arguments_arrive_as_their_annotation_says():
    def report(title: str, **days: date) -> None: ...
    def charge(**amounts: Decimal) -> None: ...
    def link(**ids: UUID | None) -> None: ...
    def send(**parts: bytes) -> None: ...

    for function, given in [
        (report, {"title": "t", "first": date(2030, 1, 2), "last": date(2031, 2, 3)}),
        (report, {"title": "t"}),
        (charge, {"net": Decimal("19.90"), "vat": Decimal("0.10")}),
        (link, {"a": UUID(int=5), "b": None}),
        (send, {"a": b"\x00\xff", "b": b""}),
    ]:
        signature = Signature("task", function)
        assert signature.decode(signature.encode(given)) == ([], given)


def test_an_extra_keyword_argument_of_the_wrong_type_is_named():
    def charge(**amounts: Decimal) -> None: ...

    with pytest.raises(ArgumentError) as refused:
        Signature("task", charge).encode({"net": Decimal(1), "vat": "much"})
    assert refused.value.parameter == "vat"
