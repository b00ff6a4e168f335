"""What processes have used of the processor, as Linux counts it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.database import single

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Seconds on a processor. ended: of children that have ended and were waited for."""

    parent: int
    own: float
    ended: float


def usage(pid: int) -> Usage:
    """Give what process `pid` has used. Raises OSError if there is none."""
    # The name, in parentheses, may hold anything; what follows the last one are numbers.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system, ended_user, ended_system = (int(ticks) for ticks in fields[11:15])
    return Usage(
        int(fields[1]),
        (user + system) / TICKS_A_SECOND,
        (ended_user + ended_system) / TICKS_A_SECOND,
    )


def cpu_seconds(pids: Iterable[int]) -> float:
    """Give what these processes have used so far, together."""
    return sum(usage(pid).own for pid in pids)


class ServerProcesses:
    """The processes of a server on this machine.

    apart_from: a session of our own, which asks how far things are and is not counted.
    """

    def __init__(self, postmaster: int, apart_from: int) -> None:
        self._postmaster = postmaster
        self._apart_from = apart_from

    @classmethod
    def of(cls, connection: psycopg.Connection[Any]) -> ServerProcesses | None:
        """Find the server's processes. None: it runs on another machine, or hides them."""
        backend = single(connection, "SELECT pg_backend_pid()")
        with suppress(OSError):
            if Path(f"/proc/{backend}/comm").read_text(encoding="utf-8").startswith("postgres"):
                return cls(usage(backend).parent, backend)
        return None

    def cpu_seconds(self) -> float:
        """Give what the server has used so far, sessions that have ended among it."""
        postmaster = usage(self._postmaster)
        total = postmaster.own + postmaster.ended
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == self._apart_from:
                continue
            with suppress(OSError):
                found = usage(int(entry.name))
                if found.parent == self._postmaster:
                    total += found.own
        return total
