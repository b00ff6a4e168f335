"""Taking a child's output to the worker's log."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import orjson

from jobqueue.observe.logs.events import Fields, said
from jobqueue.worker.processes.messages import TAG, Splitter
from jobqueue.worker.processes.output import LONGEST_LINE, shortened

log = logging.getLogger("jobqueue.worker")

# So little at a time, for a child may print without end, and the event loop has more to do.
CHUNK_BYTES = 8_192
# What a pipe holds, in most places: what a job wrote before it ended is within so much.
PIPE_BYTES = 65_536
# A line that is not ended is taken for one after so much; a tagged one is never so long.
LONGEST_UNENDED = 65_536
TAIL_LINES = 30

LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING}

Progress = Callable[[int, float, str], None]


class Whose(NamedTuple):
    """Whose output something is, in words, and as the fields of a line if it is a job's."""

    name: str
    fields: Fields


class OutputReader:
    """Reads a child's pipe for as long as anybody holds its other end.

    whose: names the job whose code is likely to have written what is not tagged.
    progress: is told the number of a job, how far it is, and in words.
    """

    def __init__(self, descriptor: int, whose: Callable[[], Whose], progress: Progress) -> None:
        self._descriptor = descriptor
        self._whose = whose
        self._progress = progress
        self._splitter = Splitter()
        self._unended = 0
        self._loop = asyncio.get_running_loop()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """the last lines that came untagged, as those that Python writes when it crashes"""
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    @property
    def open(self) -> bool:
        """Whether anything may still come."""
        return self._descriptor >= 0

    def catch_up(self) -> None:
        """Read what was written up to now, at most what a pipe holds."""
        left = PIPE_BYTES
        while left > 0 and (size := self._read()):
            left -= size

    def close(self) -> None:
        """Read no more."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> int:
        if self._descriptor < 0:
            return 0
        try:
            chunk = os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return 0
        if not chunk:
            self._end_line()
            self.close()
            return 0
        lines = self._splitter.feed(chunk)
        rest = len(chunk) - chunk.rfind(b"\n") - 1
        self._unended = rest if lines else self._unended + rest
        for one in lines:
            self._line(one)
        if self._unended > LONGEST_UNENDED:
            self._end_line()
        return len(chunk)

    def _end_line(self) -> None:
        self._unended = 0
        for one in self._splitter.feed(b"\n"):
            self._line(one)

    def _line(self, whole: bytes) -> None:
        printed, tag, message = whole.partition(TAG)
        if tag and not self._tagged(message):
            printed = whole
        if printed:
            text = shortened(printed.decode("utf-8", "backslashreplace").rstrip("\r"), LONGEST_LINE)
            self.tail.append(text)
            name, fields = self._whose()
            extra = said({**fields, "stream": "output"}, text)
            log.info("%s output: %s", name, text, extra=extra)

    def _tagged(self, given: bytes) -> bool:
        """Take in what was said about a job; False if it is nothing of that kind."""
        try:
            message: Any = orjson.loads(given)
        except ValueError:
            return False
        match message:
            case ["line", job, str(stream), str(text)]:
                name, fields = self._told(job)
                extra = said({**fields, "stream": stream}, text)
                level = LEVELS.get(stream, logging.INFO)
                log.log(level, "%s %s: %s", name, stream, text, extra=extra)
            case ["record", job, int(level), str(logger), str(text), str(trace), more]:
                name, fields = self._told(job)
                whole = f"{text}\n{trace}" if trace else text
                traced = {"traceback": trace} if trace else {}
                extra = said({**_fields(more), **traced, **fields}, text)
                # Under its own name, for levels and handlers are set by names.
                logging.getLogger(logger).log(level, "%s: %s", name, whole, extra=extra)
            case ["progress", _, int(number), int() | float() as fraction, str(text)]:
                self._progress(number, float(fraction), text)
            case _:
                return False
        return True

    def _told(self, job: Any) -> Whose:  # noqa: ANN401 - whatever was said
        """Give whose output it is by its own word; that may be forged."""
        match job:
            case {"job_id": str(job_id), "task": str(task), "queue": str(), "attempt": int()}:
                named = {name: job[name] for name in ("job_id", "task", "queue", "attempt")}
                return Whose(f"job {task} {job_id}", named)
            case _:
                return self._whose()


def _fields(given: object) -> Fields:
    return cast("Fields", given) if isinstance(given, dict) else {}
