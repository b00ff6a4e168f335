"""What ties a worker to its supervisor: a pair of sockets, over which each says single words."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

VARIABLE = "JOBQUEUE_SUPERVISED"

# For jobs to finish when the code was changed.
CHANGED_GRACE_SECONDS = 1.0


class Word(StrEnum):
    """All that is ever said."""

    STARTED = "started"
    """From the worker: it is in the books, and claims."""
    HURRY = "hurry"
    """To the worker: stop, and wait for no job."""
    CHANGED = "changed"
    """To the worker, about to be told to stop: the code was changed, so the grace time is short."""
    INHERIT = "inherit"
    """To the worker: take back what workers held that died here."""
    INHERITED = "inherited"
    """From the worker: done."""


class Supervised(NamedTuple):
    """Which of a supervisor's workers this process is, and its end of the tie."""

    number: int
    end: socket.socket


def from_environment() -> Supervised | None:
    """Find out whether a supervisor started this process; what this one starts is not told."""
    told = os.environ.pop(VARIABLE, None)
    if told is None:
        return None
    number, _, descriptor = told.partition(":")
    end = socket.socket(fileno=int(descriptor))
    end.set_inheritable(False)
    return Supervised(int(number), end)


class Tie:
    """One end of the tie, on the running event loop.

    heard: called with each word of the other side.
    cut: called when the other side is gone.
    """

    def __init__(
        self, end: socket.socket, heard: Callable[[str], None], cut: Callable[[], None]
    ) -> None:
        self._end = end
        self._heard = heard
        self._cut = cut
        self._begun = b""
        end.setblocking(False)  # noqa: FBT003 - the socket's own way to say it
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._read)

    def say(self, word: Word) -> None:
        """Say a word, if the other side is there."""
        with suppress(OSError):
            self._end.send(f"{word}\n".encode())

    def close(self) -> None:
        """Let go; the other side sees it as cut."""
        if self._end.fileno() >= 0:
            self._loop.remove_reader(self._end)
            self._end.close()

    def _read(self) -> None:
        try:
            received = self._end.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.close()
            self._cut()
            return
        *words, self._begun = (self._begun + received).split(b"\n")
        for word in words:
            self._heard(word.decode())
