"""How much memory this process holds, and how much it may."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

PAGE_BYTES = resource.getpagesize()
# Linux counts in KiB, macOS in bytes.
PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def resident_bytes() -> int:
    """Give what this process holds in memory; where that is not told, the most it ever held."""
    try:
        return _pages(1) * PAGE_BYTES
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT_BYTES


def limit_address_space(limit_bytes: int) -> None:
    """Let no allocation go beyond `limit_bytes`: it raises MemoryError.

    Raises ValueError if the process has more than that already, or the platform does not take it.
    """
    try:
        used = _pages(0) * PAGE_BYTES
    except OSError:
        used = 0
    if used >= limit_bytes:
        raise ValueError(
            f"memory limit {limit_bytes:,} bytes: the application alone takes {used:,} bytes of "
            "address space; allow more"
        )
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))


def be_the_first_to_go() -> None:
    """Ask the kernel to end this process rather than its worker, should memory run out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _pages(place: int) -> int:
    """Read how many pages there are in all (0) or in memory (1)."""
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(statm, 200).split()[place])
    finally:
        os.close(statm)
