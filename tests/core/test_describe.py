"""An exception as what PostgreSQL can keep of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import Cancel
from jobqueue.core.outcome import LONGEST_MESSAGE, LONGEST_TRACEBACK, describe, storable


class WithoutWords(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class NotText(Exception):
    def __str__(self) -> str:
        return 42  # noqa: PLE0307 - on purpose


class Outer:
    class Inner(Exception):
        pass


def raised(error: BaseException) -> BaseException:
    """Give `error` with a traceback."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_an_error_is_described_by_type_message_and_traceback():
    described = describe(raised(ValueError("no such user")))
    assert described["error"] == "ValueError"
    assert described["message"] == "no such user"
    assert "Traceback" in described["traceback"]
    assert "raise error" in described["traceback"]
    assert set(described) == {"error", "message", "traceback"}


def test_an_error_of_a_module_is_named_with_it():
    assert describe(json.JSONDecodeError("x", "", 0))["error"] == "json.decoder.JSONDecodeError"
    assert describe(Outer.Inner())["error"] == f"{__name__}.Outer.Inner"


@pytest.mark.parametrize("kind", [WithoutWords, NotText])
def test_an_error_whose_message_cannot_be_read_is_kept_all_the_same(kind):
    described = describe(raised(kind()))
    assert described["error"].endswith(kind.__name__)
    assert described["message"] != ""
    assert "raise error" in described["traceback"]


def test_the_cause_is_part_of_the_traceback():
    with pytest.raises(ValueError, match="the effect") as caught:
        raise ValueError("the effect") from raised(KeyError("the cause"))
    described = describe(caught.value)
    assert "the cause" in described["traceback"]
    assert described["message"] == "the effect"


def test_a_huge_message_is_cut_from_its_end_and_a_huge_traceback_from_its_start():
    described = describe(raised(ValueError("begin " + "x" * 5_000_000 + " end")))
    assert len(described["message"]) == LONGEST_MESSAGE
    assert described["message"].startswith("begin")
    assert len(described["traceback"]) == LONGEST_TRACEBACK
    assert described["traceback"].rstrip().endswith("end")


def test_an_error_that_was_never_raised_has_no_traceback():
    assert describe(ValueError("x")) == {"error": "ValueError", "message": "x", "traceback": ""}


def test_what_a_job_raises_on_purpose_is_named_without_its_module():
    assert describe(Cancel("no longer wanted"))["error"] == "Cancel"


def test_a_very_deep_traceback_is_described():
    def dig():
        dig()

    try:
        dig()
    except RecursionError as error:
        described = describe(error)
    assert described["error"] == "RecursionError"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "?"),
        ("\udfff tail", "? tail"),
        ("smile \U0001f600", "smile \U0001f600"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("a backslash \\u0000", "a backslash \\u0000"),
    ],
)
def test_what_postgresql_cannot_keep_is_replaced_and_the_rest_left_alone(text, kept):
    assert storable(text) == kept


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_any_message_becomes_text_that_postgresql_can_keep(message):
    for text in describe(raised(ValueError(message))).values():
        assert "\x00" not in text
        text.encode("utf-8")


@given(st.text(max_size=50))
def test_proper_text_is_stored_as_it_is(text):
    assert storable(text) == text.replace("\x00", "\ufffd")
