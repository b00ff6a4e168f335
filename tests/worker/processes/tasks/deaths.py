"""Tasks that kill their process, or let nothing else run in it."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time

from tests.worker.processes.tasks.registry import jobs, note


@jobs.task
def rare_death(path: str, text: str, how: str = "") -> None:
    """Note that it ran, and die of `how`, if that says anything."""
    note(path, text)
    die(how)


def die(how: str) -> None:
    match how:
        case "segfault":
            faulthandler._sigsegv()  # type: ignore[attr-defined]
        case "pointer":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()


@jobs.task
def spin(path: str, text: str, seconds: float = 0.0) -> None:
    """Run without ever letting another thread of the process run."""
    note(path, text)
    if seconds:
        switch = sys.getswitchinterval()
        sys.setswitchinterval(3600)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
        finally:
            sys.setswitchinterval(switch)
