"""The child's end of the ways to its worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

import orjson

from jobqueue.store.claims import Claimed
from jobqueue.worker.processes.messages import EXIT_LOST, TOKEN, Setup, Splitter, claimed, line

CHUNK_BYTES = 65_536


class Given(NamedTuple):
    """A job, and its number within the child.

    wants_result: whether what it returns is wanted.
    begins_until: later than this, by `clock`, others may have it; None: at any time.
    """

    number: int
    wants_result: bool
    begins_until: float | None
    job: Claimed


class Channel:
    """Gives a child its jobs and takes their ends. Used by the main thread, outside user code.

    A process that the child forks loses it at once: it must neither hold the ways open nor speak.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._jobs, self._tokens, self.control = (socket.socket(fileno=one) for one in numbers)
        for way in (self._jobs, self._tokens, self.control):
            way.set_inheritable(False)
        self._splitter = Splitter()
        self._lines: list[bytes] = []
        os.register_at_fork(after_in_child=self._let_go)

    def setup(self) -> Setup:
        """Wait for what the worker tells first."""
        return Setup(**orjson.loads(self._next_line()))

    def next_job(self) -> Given | None:
        """Wait for the next job. None when there will be none: the child is to end."""
        try:
            token = self._tokens.recv(TOKEN.size)
        except OSError:
            _lost()
        if not token:
            return None
        [number] = TOKEN.unpack(token)
        while True:
            # The worker took back those with lower numbers before they were begun.
            there, wants_result, begins_until, *job = orjson.loads(self._next_line())
            if there == number:
                return Given(number, wants_result, begins_until, claimed(job))

    def say(self, *parts: Any) -> None:  # noqa: ANN401 - any JSON
        """Send a message."""
        try:
            self._jobs.sendall(line(*parts))
        except OSError:
            _lost()

    def _next_line(self) -> bytes:
        while not self._lines:
            try:
                chunk = self._jobs.recv(CHUNK_BYTES)
            except OSError:
                chunk = b""
            if not chunk:
                _lost()
            self._lines = self._splitter.feed(chunk)[::-1]
        return self._lines.pop()

    def _let_go(self) -> None:
        for way in (self._jobs, self._tokens, self.control):
            way.close()


def _lost() -> NoReturn:
    """End: the worker is gone, or a job closed the way to it. No outcome can be told."""
    os._exit(EXIT_LOST)
