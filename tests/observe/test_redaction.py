"""What is secret is not in the log, whatever a rule does."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from jobqueue.observe.logs.events import event_of, said
from jobqueue.observe.logs.lines import json_line, text_line
from jobqueue.observe.logs.redaction import Redaction

OWN = {"level": "info", "logger": "shop", "job_id": "1", "task": "pay", "queue": "q", "attempt": 1}


def event(**fields: Any) -> dict[str, Any]:
    return {**OWN, "event": "it was paid", **fields}


@pytest.mark.parametrize("name", ["password", "PASSWORD", "db_password", "token", "Authorization"])
def test_fields_of_the_usual_names_are_hidden_at_any_depth(name: str) -> None:
    shown = Redaction().apply(
        event(request={"headers": [{name: "hush"}], "path": "/"}, **{name: 1})
    )
    assert shown["request"] == {"headers": [{name: "[redacted]"}], "path": "/"}
    assert shown[name] == "[redacted]"


def test_names_can_be_configured_and_others_are_left_alone() -> None:
    shown = Redaction(["card*"]).apply(event(card_number="4111", tokens=3, discard="x"))
    assert (shown["card_number"], shown["tokens"], shown["discard"]) == ("[redacted]", 3, "x")


def test_a_rule_decides_about_fields_and_texts() -> None:
    def rule(name: str, value: Any) -> Any:
        return value.replace("4111", "****") if isinstance(value, str) else value

    shown = Redaction(rule=rule).apply(event(event="card 4111", note="4111", args={"card": "4111"}))
    assert (shown["event"], shown["note"]) == ("card ****", "****")
    assert shown["args"] == {"card": "****"}


def test_a_rule_that_raises_hides_everything_but_what_the_worker_says_itself() -> None:
    def rule(name: str, value: Any) -> Any:
        raise KeyError(name)

    shown = Redaction(rule=rule).apply(event(note="hush", args={"card": "hush"}, traceback="hush"))
    assert b"hush" not in json_line(shown)
    assert {name: shown[name] for name in OWN} == OWN
    assert shown["redaction_error"] == "KeyError"


def test_what_is_nested_without_end_is_hidden() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert b"[redacted]" in json_line(Redaction().apply(event(note=endless)))


class Unreadable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [Unreadable(), "\ud800", 2**70, {1: {2}}, b"\xff", float("nan"), object, [Unreadable()]],
)
def test_every_value_makes_a_line(value: Any) -> None:
    whole = event(note=value, timestamp="2030-01-01T00:00:00.000Z")
    assert orjson.loads(json_line(whole))["job_id"] == "1"
    assert text_line(whole, whole=False).endswith(b"\n")
    assert text_line(whole, whole=False).count(b"\n") == 1


def record(message: object, *args: object, **extra: Any) -> logging.LogRecord:
    logger = logging.getLogger("shop")
    return logger.makeRecord("shop", logging.INFO, "shop.py", 1, message, args, None, extra=extra)


def test_the_extra_of_a_record_are_fields_that_take_no_others_place() -> None:
    told = event_of(record("paid %d", 3, level="x", customer=7))
    assert (told["event"], told["level"], told["level_"], told["customer"]) == (
        "paid 3", "info", "x", 7,
    )  # fmt: skip


def test_what_the_worker_tells_of_a_job_takes_the_place_of_where_it_was_logged() -> None:
    told = event_of(record("x", **said({"job_id": "2", "level": "no"}, "y")))
    assert (told["job_id"], told["event"], told["level"]) == ("2", "y", "info")


def test_a_message_of_several_lines_is_one_line_of_json() -> None:
    assert json_line(event_of(record("a\nb"))).count(b"\n") == 1
