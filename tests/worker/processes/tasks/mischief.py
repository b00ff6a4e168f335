"""Tasks that leave their process in disorder."""

from __future__ import annotations

# ruff: noqa: T201 - printing is a part of it
import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

from tests.worker.processes.tasks.registry import jobs, note


@jobs.task
def changes_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


@jobs.task
def own_alarm() -> None:
    """Time itself out, as some do."""

    def ring(*_: object) -> None:
        raise TimeoutError("its own alarm")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(20)


@jobs.task
def chatty_alarms(lines: int) -> None:
    """Print from a signal handler in the middle of printing."""
    signal.signal(signal.SIGALRM, lambda *_: print("from the handler"))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for _ in range(lines):
        print("from the job " + "x" * 500)


@jobs.task
def signals_itself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


@jobs.task
def leaves_threads(path: str) -> None:
    """Leave threads that nobody ends, and that the interpreter would wait for at its exit."""
    for _ in range(3):
        threading.Thread(target=time.sleep, args=[600]).start()
    note(path, os.getpid())


async def wait_and_note(path: str) -> None:
    try:
        await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        note(path, "cancelled")
        raise
    note(path, "went on")


left: list[asyncio.Task[None]] = []


@jobs.task
async def leaves_coroutines(path: str) -> None:
    left.append(asyncio.get_running_loop().create_task(wait_and_note(path)))
    await asyncio.sleep(0)


@jobs.task
async def stops_its_loop(path: str) -> None:
    asyncio.get_running_loop().stop()
    await wait_and_note(path)


@jobs.task
async def raises_in_a_callback(path: str) -> None:
    def leave() -> NoReturn:
        raise SystemExit(4)

    asyncio.get_running_loop().call_soon(leave)
    await wait_and_note(path)


@jobs.task
async def runs_the_loop() -> None:
    """Give what others have left on the event loop time to go on."""
    await asyncio.sleep(0.2)


@jobs.task
def forks(path: str, then: str = "sleep") -> int:
    """Fork, and let the other one sleep, come back from the function, raise, or exit."""
    child = os.fork()
    if child == 0:
        match then:
            case "sleep":
                print("from the one that was forked")
                time.sleep(600)
                os._exit(0)
            case "raise":
                raise ValueError("in the one that was forked")
            case "exit":
                sys.exit(5)
        return -1
    note(path, child)
    if then == "sleep":
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@jobs.task
def forks_and_dies(path: str) -> None:
    forks(path)
    os._exit(3)


@jobs.task
def forks_past_python(path: str) -> None:
    """Fork in C, where no hook runs and every descriptor is inherited, and die."""
    child = ctypes.CDLL(None).fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    note(path, child)
    os._exit(3)


def child_of_multiprocessing(path: str) -> None:
    note(path, "in the child")


@jobs.task
def uses_multiprocessing(path: str, method: str) -> None:
    import multiprocessing

    context = multiprocessing.get_context(method)
    process = context.Process(target=child_of_multiprocessing, args=[path])  # type: ignore[attr-defined]
    process.start()
    process.join()
    assert process.exitcode == 0


@jobs.task
def closes_every_descriptor(seconds: float = 0) -> None:
    os.closerange(3, 1024)
    time.sleep(seconds)


@jobs.task
def writes_everywhere() -> None:
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"nonsense\n")


@jobs.task
def spawns(path: str) -> int:
    """Start a program past subprocess, which would close what it should not have."""
    program = f"for one in /proc/self/fd/*; do readlink $one || :; done > {path}"
    spawned = os.posix_spawn("/bin/sh", ["sh", "-c", program], os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(spawned, 0)[1])
