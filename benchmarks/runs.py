"""A log of runs outside the database: a file in shared memory that tasks write as they start."""

from __future__ import annotations

import fcntl
import itertools
import mmap
import time
from pathlib import Path
from typing import NamedTuple

# Two 64-bit numbers a run: the job's number + 1, and the moment. Zeros: nothing there yet.
ENTRY_BYTES = 16


class Run(NamedTuple):
    """One start of user code. at_ns: by CLOCK_MONOTONIC, which all processes here share."""

    number: int
    at_ns: int


class RunLog:
    """Every run of numbered jobs, in one file for one worker process and its children.

    A job that runs twice is there twice.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 0)
        self._cells = memoryview(self._map).cast("q")
        # Taking the next number is one step under the interpreter's lock: threads never share one.
        self._slots = itertools.count()
        self._seen = 0

    @classmethod
    def create(cls, path: Path, capacity: int) -> RunLog:
        """Make an empty log for `capacity` runs; one more is an error in the job that makes it."""
        path.write_bytes(bytes(capacity * ENTRY_BYTES))
        return cls(path)

    def record(self, number: int) -> None:
        """Note that job `number` runs now."""
        cell = next(self._slots) * 2
        self._cells[cell + 1] = time.monotonic_ns()
        self._cells[cell] = number + 1

    def record_beside_others(self, number: int) -> None:
        """Note it in a process that is not the only one with this log; each waits for its turn."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            self._slots = itertools.count(self.noted())
            self.record(number)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def noted(self) -> int:
        """How many runs are noted so far; looks only at what came since the last call."""
        while self._seen * 2 < len(self._cells) and self._cells[self._seen * 2] != 0:
            self._seen += 1
        return self._seen

    def runs(self, first: int = 0) -> list[Run]:
        """Give every run so far, in the order they began; or those after the `first` ones."""
        cells = self._cells[first * 2 : self.noted() * 2]
        numbers, moments = cells[0::2].tolist(), cells[1::2].tolist()
        return [Run(n - 1, at) for n, at in zip(numbers, moments, strict=True)]

    def close(self) -> None:
        """Let go of the file."""
        self._cells.release()
        self._map.close()
        self._file.close()
