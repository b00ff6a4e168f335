"""Imported by Python at start when this folder is on PYTHONPATH: this process's clock is wrong.

Wall clocks only; nobody can shift the monotonic one, which no NTP daemon touches either.
"""

from __future__ import annotations

import datetime as dt
import os
import time

SHIFT_SECONDS = float(os.environ.get("CHAOS_CLOCK_SHIFT_SECONDS", "0"))

_time = time.time
_time_ns = time.time_ns
_gmtime = time.gmtime
_localtime = time.localtime


class Shifted(dt.datetime):
    """A datetime whose present is elsewhere."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Shifted:
        """Give the wrong time."""
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Shifted:
        """Give the wrong time, in UTC and without saying so."""
        return cls.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)


def _shift() -> None:
    time.time = lambda: _time() + SHIFT_SECONDS
    time.time_ns = lambda: _time_ns() + int(SHIFT_SECONDS * 1e9)
    time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
    time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
    dt.datetime = Shifted


if SHIFT_SECONDS:
    _shift()
