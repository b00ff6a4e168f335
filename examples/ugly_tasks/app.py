"""The tasks: three that behave, one for each pool, and the ugly ones with their verdicts."""

from __future__ import annotations

# ruff: noqa: ASYNC251 - what is wrong with them is the point
import asyncio
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jobqueue import JobQueue, Retry, Task

RUNS = Path(os.environ.get("UGLY_FOLDER", ".")) / "runs"
BLOCKED_SECONDS = float(os.environ.get("UGLY_BLOCKED_SECONDS", "5"))

jobs = JobQueue()
ONCE = Retry(attempts=1)


def note(word: object) -> None:
    """Note a run: one line, whole even when many processes write."""
    file = os.open(RUNS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word}\n".encode())
    os.close(file)


@jobs.task
async def mail(number: int) -> None:
    """Behave, on the event loop."""
    note(number)
    await asyncio.sleep(0.001)


@jobs.task
def invoice(number: int) -> None:
    """Behave, in a thread."""
    note(number)


@jobs.task(pool="process")
def picture(number: int) -> None:
    """Behave, in a process."""
    note(number)


GOOD: tuple[Task[..., Any], ...] = (mail, mail, invoice, picture)


@dataclass(frozen=True, slots=True)
class Ugly:
    """A task that misbehaves, and how its job has to end."""

    task: Task[..., Any]
    state: str
    error: str | None = None


UGLY: list[Ugly] = []


def ugly(state: str, error: str | None = None, **options: Any):  # noqa: ANN201, ANN401 - a decorator
    """Register an ugly task of one attempt. state, error: how its job has to end."""

    def register(function: Any) -> Any:  # noqa: ANN401 - any function
        task: Task[..., Any] = jobs.task(retry=ONCE, **options)(function)
        UGLY.append(Ugly(task, state, error))
        return task

    return register


class OwnBase(BaseException):
    """A class that no `except Exception` catches."""


class Unreadable(Exception):
    """One that cannot be pickled, and whose text cannot be had."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("not even this")


@ugly("completed")
async def blocks_the_loop() -> None:
    time.sleep(BLOCKED_SECONDS)


@ugly("dead", "TimedOut", timeout=0.5)
async def never_ends() -> None:
    await asyncio.Event().wait()


@ugly("dead", "TimedOut", timeout=0.5)
async def swallows_cancellation() -> None:
    end = time.monotonic() + 8
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@ugly("dead", "TimedOut", timeout=0.5)
def sleeps_in_a_thread() -> None:
    time.sleep(600)


@ugly("dead", "TimedOut", pool="process", timeout=0.5)
def spins_in_a_process() -> None:
    while True:
        pass


@ugly("dead", "MemoryError", pool="process")
def allocates_without_end() -> None:
    held: list[bytes] = []
    while True:
        held.append(bytes(10_000_000))


@ugly("dead", "jobqueue.worker.processes.calls.ProcessDied", pool="process")
def crashes() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@ugly("dead", "jobqueue.worker.processes.calls.ProcessDied", pool="process")
def exits_at_once() -> None:
    os._exit(0)


@ugly("completed", pool="process")
def forks_in_a_process() -> None:
    os.fork()


@ugly("completed")
def forks_in_a_thread() -> None:
    os.fork()


@ugly("completed")
async def forks_on_the_loop() -> None:
    os.fork()
    await asyncio.sleep(0.05)


@ugly("completed")
def closes_stdout() -> None:
    os.close(1)


@ugly("completed", pool="process")
def closes_stdout_in_a_process() -> None:
    os.close(1)


@ugly("dead", "SystemExit")
async def exits() -> NoReturn:
    sys.exit(3)


@ugly("dead", "KeyboardInterrupt")
async def is_interrupted() -> NoReturn:
    raise KeyboardInterrupt


@ugly("dead", "SystemExit")
def exits_in_a_thread() -> NoReturn:
    sys.exit(3)


@ugly("dead", "KeyboardInterrupt", pool="process")
def is_interrupted_in_a_process() -> NoReturn:
    raise KeyboardInterrupt


@ugly("dead", f"{__name__}.OwnBase")
def raises_its_own_base() -> NoReturn:
    raise OwnBase


@ugly("dead", f"{__name__}.Unreadable")
async def raises_the_unreadable() -> NoReturn:
    raise Unreadable


@ugly("dead", f"{__name__}.Unreadable", pool="process")
def raises_the_unreadable_in_a_process() -> NoReturn:
    raise Unreadable


@ugly("dead", "UnstorableResult", returns=True)
async def returns_no_json() -> object:
    return object()


@ugly("dead", "UnstorableResult", returns=True, pool="process")
def returns_no_json_in_a_process() -> object:
    return threading.Lock()


@ugly("completed")
async def changes_signal_handlers() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@ugly("completed", pool="process")
def changes_signal_handlers_in_a_process() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@ugly("completed")
def leaves_threads_behind() -> None:
    for _ in range(3):
        threading.Thread(target=time.sleep, args=[600]).start()


@ugly("completed", pool="process")
def leaves_threads_behind_in_a_process() -> None:
    threading.Thread(target=time.sleep, args=[600]).start()
