"""Making a process log: the handler, and structlog before it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any

import structlog

from jobqueue.observe.logs.events import SAID, Said, event_of, said
from jobqueue.observe.logs.lines import json_line, text_line
from jobqueue.observe.logs.redaction import Redaction
from jobqueue.observe.logs.sink import Sink


class LogFormat(StrEnum):
    """How lines are written. auto: as text on a terminal, else as JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Handler(logging.Handler):
    """Takes what is logged to the sink, redacted. redaction: may be set anew.

    process: its name, if others write to the same place.
    """

    def __init__(self, descriptor: int, *, as_json: bool, process: str | None) -> None:
        super().__init__()
        self.redaction = Redaction()
        self._as_json = as_json
        self._process = process
        self.sink = Sink(descriptor, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        """Render a record and leave it to the sink."""
        try:
            self.sink.put(self._line(record))
        except Exception:  # noqa: BLE001 - as every handler of logging
            self.handleError(record)

    def flush(self) -> None:
        """Wait for what is to be written, but not for ever."""
        self.sink.flush()

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            event = event_of(record)
        except Exception as error:  # noqa: BLE001 - arguments that do not fit the message, say
            event = event_of(_unreadable(record, error))
        if self._process is not None:
            event["process"] = self._process
            event["pid"] = os.getpid()
        event = self.redaction.apply(event)
        if self._as_json:
            return json_line(event)
        told = record.__dict__.get(SAID)
        # The worker's own messages say in words what their fields do.
        return text_line(event, whole=isinstance(told, Said) and told.event is None)

    def _dropped(self, lines: int) -> bytes:
        text = "log: %d lines were dropped: what they are written to did not take them in time"
        record = logging.makeLogRecord(
            {"name": "jobqueue.worker", "levelno": logging.WARNING, "levelname": "WARNING"}
            | {"msg": text, "args": (lines,)}
            | said({"dropped": lines})
        )
        return self._line(record)


def _unreadable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Give what can be said of a record that cannot be read."""
    return logging.makeLogRecord(
        {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
        | {"created": record.created, "msg": "%s (its arguments cannot be shown: %s)"}
        | {"args": (str(record.msg), type(error).__name__)}
    )


def install(level: int, log_format: LogFormat, process: str | None = None) -> Handler:
    """Log to stderr, in UTC; give the handler. process: a name, if others write there as well."""
    as_json = log_format is LogFormat.JSON
    if log_format is LogFormat.AUTO:
        as_json = not sys.stderr.isatty()
    # A descriptor of its own: a job may close the standard ones.
    handler = Handler(os.dup(2), as_json=as_json, process=process)
    logging.basicConfig(level=level, handlers=[handler])
    take_structlog()
    return handler


def take_structlog() -> None:
    """Have structlog speak through logging, unless the application has set it up by itself."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _to_logging,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _to_logging(
    _: object, __: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """Give the arguments of the call of logging that an event becomes."""
    fields = dict(event)
    passed = {name: fields.pop(name) for name in ("exc_info", "stack_info") if name in fields}
    text = str(fields.pop("event", ""))
    return (text,), passed | {"extra": said(fields, text, by_user=True)}
