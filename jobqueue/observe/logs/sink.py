"""Where lines wait to be written, so that no job waits for whoever reads them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

MOST_BYTES = 8 * 2**20
"""So much may wait; what comes beyond is dropped, and counted."""
MOST_AT_ONCE = 2**18
# What follows a line closely is written together.
GATHERING_SECONDS = 0.005
# At the end of the process, for what waits to be written.
FLUSH_SECONDS = 2.0
# While what is written to takes nothing, or fails.
PAUSE_SECONDS = 0.2


class Sink:
    """Writes lines to a descriptor, from a thread of its own.

    tell: gives the line that says how many were dropped.
    """

    def __init__(
        self, descriptor: int, tell: Callable[[int], bytes], *, most_bytes: int = MOST_BYTES
    ) -> None:
        self.dropped = 0
        """lines that were never written, since the start"""
        self._descriptor = descriptor
        self._tell = tell
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._told = 0
        self._direct = False
        self._idle = True
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forked)

    def put(self, line: bytes) -> None:
        """Have a line written soon, or drop it if too much waits. Waits for nothing."""
        if self._direct:
            with suppress(OSError):
                self._write(line)
            return
        with self._lock:
            if self._bytes + len(line) > self._most_bytes:
                self.dropped += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            if self._idle:
                self._idle = False
                self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="jobqueue log", daemon=True)
            self._thread.start()

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until everything is written, at most so long."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._idle and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._idle = True
                    self._changed.notify_all()
                    self._changed.wait()
            self._write_some()
            time.sleep(GATHERING_SECONDS)

    def _write_some(self) -> None:
        """Write what waits, so much at a time, and then how much did not wait."""
        with self._lock:
            chunk, lines = self._next()
            dropped = self.dropped
        try:
            self._write(chunk)
            if dropped > self._told:
                self._write(self._tell(dropped - self._told))
                self._told = dropped
        except OSError:
            # A disk that is full, a reader that is gone: the next lines may fare better.
            with self._lock:
                self.dropped += lines
            time.sleep(PAUSE_SECONDS)

    def _next(self) -> tuple[bytes, int]:
        taken: list[bytes] = []
        size = 0
        while self._lines and size < MOST_AT_ONCE:
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return b"".join(taken), len(taken)

    def _write(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # whoever shares it has made it so
                select.select([], [self._descriptor], [], PAUSE_SECONDS)

    def _forked(self) -> None:
        """In a process that a job forked there is no thread: write at once."""
        self._direct = True
        self._lines.clear()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
