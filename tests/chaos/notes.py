"""Notes of what ran and what was acknowledged, in files outside the database.

A line is JSON, written in one piece at the end of a file, so that many processes can share it and
any of them can be killed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def now() -> float:
    """Give the time in seconds, also where this process's clock was shifted."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def write(path: Path, **what: Any) -> None:
    """Append a line. It bears this process's number, unless `what` names another."""
    line = json.dumps({"at": now(), "pid": os.getpid(), **what}, default=str) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Give the lines, oldest first."""
    if path.exists():
        for line in path.read_text().splitlines():
            yield json.loads(line)
