"""What a log record says, as fields: its own, and those of the job in which it was logged."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from jobqueue.client.context import current_attempt
from jobqueue.core.outcome import LONGEST_TRACEBACK
from jobqueue.store.claims import Claimed

Fields = dict[str, Any]

SAID = "jobqueue_said"
"""The attribute of a record under which more is told of it than a message."""

# What every record has; the rest of its attributes is what its author gave as `extra`.
_PLAIN = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message", SAID}
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a record tells beside its message.

    fields: or what gives them, if that is work which only some handlers need.
    event: what is said, without what the fields tell; the record's message if None.
    by_user: the fields are an application's, and do not take the place of the worker's own.
    """

    fields: Fields | Callable[[], Fields]
    event: str | None = None
    by_user: bool = False


def said(
    fields: Fields | Callable[[], Fields], event: str | None = None, *, by_user: bool = False
) -> dict[str, Said]:
    """Give the `extra` of a log call that tells these fields."""
    return {SAID: Said(fields, event, by_user)}


def job_fields(job: Claimed) -> Fields:
    """Give what every line about a job tells of it. This is the one list of it."""
    return {"job_id": job.id, "task": job.task, "queue": job.queue, "attempt": job.attempt}


def add_job_fields(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the fields of the running job to an event: a processor for your own structlog chain."""
    attempt = current_attempt.get(None)
    if attempt is not None:
        for name, value in job_fields(attempt.job).items():
            event.setdefault(name, value)
    return event


def event_of(record: logging.LogRecord) -> Fields:
    """Give what a record says, as fields in the order in which they are shown."""
    event: Fields = {
        "timestamp": _moment(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": "",
    }
    attempt = current_attempt.get(None)
    if attempt is not None:
        event.update(job_fields(attempt.job))
    told = record.__dict__.get(SAID)
    if isinstance(told, Said):
        event["event"] = record.getMessage() if told.event is None else told.event
        fields = told.fields() if callable(told.fields) else told.fields
        _add(event, fields, overrules=not told.by_user)
    elif isinstance(record.msg, dict):
        # An application's own structlog that leaves rendering to logging.
        fields = dict(cast("Fields", record.msg))
        event["event"] = str(fields.pop("event", ""))
        _add(event, fields, overrules=False)
    else:
        event["event"] = record.getMessage()
        given = record.__dict__.items()
        extra = {name: value for name, value in given if name not in _PLAIN}
        _add(event, extra, overrules=False)
    if trace := _trace(record):
        event["traceback"] = trace
    return event


_FIRST = frozenset({"timestamp", "level", "logger", "event"})


def _add(event: Fields, fields: Fields, *, overrules: bool) -> None:
    """Add fields; a user's that has the name of another gets a name of its own."""
    if overrules:
        event.update({name: value for name, value in fields.items() if name not in _FIRST})
        return
    for name, value in fields.items():
        event[f"{name}_" if name in event else name] = value


_second = (0, "")


def _moment(created: float) -> str:
    """Write a moment in UTC; lines of several processes are sorted by it."""
    global _second  # noqa: PLW0603 - the same text a thousand times
    whole = int(created)
    known, text = _second
    if known != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = (whole, text)
    return f"{text}.{int((created - whole) * 1_000_000):06d}Z"


def _trace(record: logging.LogRecord) -> str:
    """Give the traceback of a record, if it has one, its end if it is long."""
    text = record.exc_text or ""
    if not text and record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    if record.stack_info:
        text = f"{text}\n{record.stack_info}".strip()
    return text[-LONGEST_TRACEBACK:]
