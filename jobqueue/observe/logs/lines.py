"""Events as lines: JSON for programs, text for people."""

from __future__ import annotations

from typing import Any

import orjson

# What of an event stands before its message in text, or is part of it.
_BEFORE = frozenset({"timestamp", "level", "logger", "event", "process", "pid"})
_BELOW = "traceback"
LONGEST_VALUE = 10_000
"""Characters of a field that JSON cannot hold as it is, of which more is cut off."""


def json_line(event: dict[str, Any]) -> bytes:
    """Write an event as JSON. Raises nothing: what JSON cannot hold is shown as Python would."""
    try:
        return orjson.dumps(event, default=_shown, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError):
        # Lone surrogates, numbers of more than 64 bits, what is nested too deeply.
        plain = {_text(name): _plain(value) for name, value in event.items()}
        return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)


def text_line(event: dict[str, Any], *, whole: bool) -> bytes:
    """Write an event as text: its moment, level and message, then the other fields.

    whole: the message says all that the fields do, but for a traceback.
    """
    who = f"[{event['process']} {event['pid']}] " if event.get("process") else ""
    parts = [f"{event['timestamp']} {who}{event['level'].upper()} {event['event']}"]
    if not whole:
        names = [name for name in event if name not in _BEFORE and name != _BELOW]
        parts += [f" {name}={_word(event[name])}" for name in names]
    if trace := event.get(_BELOW):
        indented = str(trace).rstrip().replace("\n", "\n    ")
        parts.append(f"\n    {indented}")
    parts.append("\n")
    return "".join(parts).encode("utf-8", "backslashreplace")


_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def _shown(value: object) -> str:
    """Show what JSON has no form for."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr is user code
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return _text(text)[:LONGEST_VALUE]


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | float) else _shown_or_text(value)


def _shown_or_text(value: object) -> str:
    return _text(value) if isinstance(value, str) else _shown(value)


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def _word(value: object) -> str:
    """Show a field's value such that it is seen where it ends."""
    text = value if isinstance(value, str) else _shown(value)
    return repr(text) if not text or any(one in text for one in " \n\t\"'=") else text
