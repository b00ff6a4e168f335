"""How much memory a process uses, and how such an amount is written."""

from __future__ import annotations

import re
from pathlib import Path

from jobqueue.core.errors import ConfigurationError

PROCESSES = Path("/proc")
# A worker without any application uses more than half of it.
LEAST_LIMIT = 100_000_000

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str, option: str = "--max-memory") -> int:
    """Read `500MB`, `1.5GB` or `512MiB` as bytes; the B may be left out.

    option: that it was given with, for the error.
    Raises ConfigurationError if it is no such thing, or too little for any worker.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text, re.IGNORECASE)
    if found is None or (found[3] and not found[2]):
        raise ConfigurationError(f"{option} {text!r}: not a size; write 500MB, 1.5GB or 512MiB")
    size = int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])
    if size < LEAST_LIMIT:
        raise ConfigurationError(
            f"{option} {text!r}: too little for a worker; give {show_size(LEAST_LIMIT)} or more"
        )
    return size


def show_size(size: int) -> str:
    """Write an amount in the largest unit that it fills."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} bytes"


def check_measurable() -> None:
    """Raise ConfigurationError where the system does not tell what a process uses."""
    if not (PROCESSES / "self" / "status").exists():
        raise ConfigurationError(
            "--max-memory: this system has no /proc to read it from; limit it from outside"
        )


def memory_of(pid: int) -> int:
    """Give the resident memory of a process in bytes; 0 if it is gone."""
    try:
        status = (PROCESSES / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
