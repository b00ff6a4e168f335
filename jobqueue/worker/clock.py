"""The clock that leases are reckoned by."""

from __future__ import annotations

import time


def clock() -> float:
    """Give seconds that go on while the process, or the whole machine, is suspended.

    All processes of a machine are told the same.
    """
    return time.clock_gettime(CLOCK)


CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
