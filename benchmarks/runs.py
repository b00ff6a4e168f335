"""A log of runs outside the database: a file in shared memory that tasks write as they start."""

from __future__ import annotations

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
    """Every run of numbered jobs, in one file for one worker process.

    A job that runs twice is there twice.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._cells = memoryview(self._map).cast("q")
        # Taking the next number is one step under the interpreter's lock: threads never share one.
        self._slots = itertools.count()

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

    def has(self, count: int) -> bool:
        """Whether `count` runs are noted, at a glance."""
        return self._cells[count * 2 - 2] != 0

    def runs(self) -> list[Run]:
        """Give every run so far."""
        numbers, moments = self._cells[0::2].tolist(), self._cells[1::2].tolist()
        return [Run(n - 1, at) for n, at in zip(numbers, moments, strict=True) if n]

    def close(self) -> None:
        """Let go of the file."""
        self._cells.release()
        self._map.close()
