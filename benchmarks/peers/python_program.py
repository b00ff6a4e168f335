"""What the Python programs have in common: the command line, and the log of runs.

A program runs in its peer's environment, so this needs nothing but the standard library. uvloop is
used if the environment has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol

from benchmarks.runs import RunLog

Result = Coroutine[Any, Any, None] | None


class Program(Protocol):
    """What a peer's program does, each as a plain function or as a coroutine.

    fill: print what `report` prints, of the enqueueing alone. due_in_days: 0 for at once.
    work: run one worker until SIGTERM; each job calls `log.record` with its number.
    trickle: connect, and hand `answer_each` or `answer_each_async` what enqueues a single job.
    """

    def setup(self, url: str) -> Result: ...
    def fill(self, url: str, numbers: range, due_in_days: float) -> Result: ...
    def work(self, url: str, log: RunLog) -> Result: ...
    def trickle(self, url: str) -> Result: ...


def main(program: Program) -> None:
    """Carry out one command."""
    given = _parser().parse_args()
    match given.command:
        case "setup":
            _finish(program.setup(given.url))
        case "fill":
            numbers = range(given.first, given.first + given.count)
            _finish(program.fill(given.url, numbers, given.in_days))
        case "work":
            _finish(program.work(given.url, RunLog(given.log)))
        case _:
            _finish(program.trickle(given.url))


def report(began: float) -> None:
    """Say how long the enqueueing took. began: of time.perf_counter, when it began."""
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


def chunks(numbers: range, size: int) -> Iterator[range]:
    """Cut `numbers` into ranges of at most `size`."""
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def answer_each(enqueue: Callable[[int], object]) -> None:
    """Enqueue each number that comes in, and say when that had been committed."""
    for line in sys.stdin:
        enqueue(int(line))
        print(int(line), time.monotonic_ns(), flush=True)


async def answer_each_async(enqueue: Callable[[int], Awaitable[object]]) -> None:
    """Do the same by a coroutine."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        await enqueue(int(line))
        print(int(line), time.monotonic_ns(), flush=True)


def stop_signal() -> asyncio.Event:
    """Give an event that SIGTERM sets, for a library that leaves signals to its caller."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    setup, fill, work, trickle = (
        commands.add_parser(name) for name in ("setup", "fill", "work", "trickle")
    )
    for command in (setup, fill, work, trickle):
        command.add_argument("url")
    fill.add_argument("first", type=int)
    fill.add_argument("count", type=int)
    fill.add_argument("--in-days", type=float, default=0.0)
    work.add_argument("log", type=Path)
    return parser


def _finish(result: Result) -> None:
    if result is None:
        return
    try:
        import uvloop  # type: ignore[import-not-found] # noqa: PLC0415 - in some environments only
    except ImportError:
        asyncio.run(result)
    else:
        uvloop.run(result)
