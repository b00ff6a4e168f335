"""The JobQueue that the tasks are registered with, and what they leave for a test to see."""

from __future__ import annotations

from pathlib import Path

from jobqueue import JobQueue

jobs = JobQueue("postgresql://nobody@nowhere.invalid/none")


def note(path: str, text: object) -> None:
    """Append a line to a file that the test reads."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")
