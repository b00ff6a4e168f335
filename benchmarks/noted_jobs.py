"""An application whose jobs note, in one file for all workers, who started them and when."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import NamedTuple

from jobqueue import JobQueue

NOTES_VARIABLE = "JOBQUEUE_BENCH_NOTES"

jobs = JobQueue()


class Note(NamedTuple):
    """One start. at_ns: by CLOCK_MONOTONIC, which all processes here share."""

    pid: int
    number: int
    at_ns: int


@jobs.task
async def nap(number: int, seconds: float) -> None:
    """Note the start, and wait."""
    line = f"{os.getpid()} {number} {time.monotonic_ns()}\n"
    file = os.open(os.environ[NOTES_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    # One write a line: it stays whole beside those of other processes.
    os.write(file, line.encode())
    os.close(file)
    await asyncio.sleep(seconds)


def read_notes(path: Path) -> list[Note]:
    """Give all starts that were noted, in order."""
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [Note(*map(int, line.split())) for line in lines]
