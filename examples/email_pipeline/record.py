"""The mail server's record of what it received: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was received. job_id: its X-Job-Id."""

    recipient: str
    job_id: str


def append(file: TextIO, mail: Mail) -> None:
    """Put `mail` on record; when this returns, every other process can read it."""
    file.write(f"{json.dumps(asdict(mail))}\n")
    file.flush()


def read(path: Path) -> list[Mail]:
    """Give what has been received so far."""
    return [Mail(**json.loads(line)) for line in path.read_text().splitlines()]
