"""What the code of a job prints and logs, on its way to the worker's log.

Each line that Python prints and each log record is written with the fields of its job. What goes
past Python (a C library, a program that the job starts) arrives without, through the same pipe.
"""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from jobqueue.client.context import current_attempt
from jobqueue.observe.logs.events import Fields, event_of, job_fields
from jobqueue.observe.logs.install import take_structlog
from jobqueue.observe.logs.lines import json_line
from jobqueue.observe.logs.redaction import Redaction
from jobqueue.store.claims import Claimed
from jobqueue.worker.processes.messages import TAG, line

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LONGEST_LINE = 2_000
"""A printed line is cut after so many characters."""
LONGEST_RECORD = 10_000
"""A log record, its traceback included, is cut after so many."""

LONGEST_FIELDS = 4_000
"""And what else is told of it."""


class Output:
    """Writes to the worker's log, through a descriptor of its own: the job may close 1 and 2."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        self._streams: dict[str, _Lines] = {}
        self._running: Fields = {}
        self.redaction = Redaction()
        """may be set anew, when the tasks are known"""

    def install(self, level: int) -> None:
        """Take over stdout, stderr, logging and what Python says of its own crash."""
        faulthandler.enable(self._descriptor, all_threads=False)
        logging.basicConfig(level=level, handlers=[_Handler(self)])
        take_structlog()
        self.restore()

    def begin(self, job: Claimed) -> None:
        """Say whose output follows, for threads that know it not from their context."""
        self._running = job_fields(job)

    def end(self) -> None:
        """Write what was printed without an end of line, and take stdout and stderr back."""
        self.restore()
        self._running = {}

    def restore(self) -> None:
        """Make stdout and stderr what they were, whatever a job did to them."""
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            lines = self._streams.get(name)
            if lines is None or lines.closed or getattr(sys, name) is not lines.text:
                lines = self._streams[name] = _Lines(self, name, descriptor)
                setattr(sys, name, lines.text)
            lines.flush_line()

    def say(self, kind: str, *parts: object) -> None:
        """Write something about the job that runs."""
        attempt = current_attempt.get(None)
        whose = self._running if attempt is None else job_fields(attempt.job)
        message = TAG + line(kind, whose, *parts)
        with suppress(OSError):
            # Up to PIPE_BUF bytes go whole or not at all. A longer one may be torn by a signal or
            # by another thread; then it arrives as mere text.
            while message:
                message = message[os.write(self._descriptor, message) :]


class _Lines(io.RawIOBase):
    """A stream that sends each line on when it is whole; each thread makes its own."""

    def __init__(self, output: Output, name: str, descriptor: int) -> None:
        self._output = output
        self._descriptor = descriptor
        self._begun = threading.local()
        self.name = name
        self.text = io.TextIOWrapper(self, "utf-8", "backslashreplace", write_through=True)

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        given = bytes(data)
        *whole, rest = (self._part() + given).split(b"\n")
        self._begun.part = rest
        for one in whole:
            self._send(one)
        if len(rest) > LONGEST_LINE:
            self.flush_line()
        return len(given)

    def flush_line(self) -> None:
        """Send what this thread has written of a line."""
        part = self._part()
        self._begun.part = b""
        if part:
            self._send(part)

    def _part(self) -> bytes:
        return getattr(self._begun, "part", b"")

    def _send(self, written: bytes) -> None:
        text = written.decode("utf-8", "backslashreplace").rstrip("\r")
        self._output.say("line", self.name, shortened(text, LONGEST_LINE))


class _Handler(logging.Handler):
    """Sends log records on."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = self._output.redaction.apply(event_of(record))
            text = shortened(str(event.pop("event")), LONGEST_RECORD)
            trace = shortened(event.pop("traceback", ""), max(0, LONGEST_RECORD - len(text)))
            fields = _fields({name: event[name] for name in event if name not in TOLD_ANYWAY})
            self._output.say("record", record.levelno, record.name, text, trace, fields)
        except Exception:  # noqa: BLE001 - as every handler of logging
            self.handleError(record)


TOLD_ANYWAY = frozenset({"timestamp", "level", "logger", "job_id", "task", "queue", "attempt"})


def _fields(event: Fields) -> orjson.Fragment:
    """Give the other fields of a record such that they can cross."""
    text = json_line(event)
    if len(text) > LONGEST_FIELDS:
        text = json_line({"fields": shortened(text.decode(), LONGEST_FIELDS // 4)})
    return orjson.Fragment(text.rstrip())


def shortened(text: str, longest: int) -> str:
    """Cut a text, and make it such that JSON can carry it."""
    cut = text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
    return cut.encode("utf-8", "backslashreplace").decode()
