"""Tasks that print and log, and what they do to their output."""

from __future__ import annotations

# ruff: noqa: T201 - that is what is tested
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from tests.worker.processes.tasks.registry import jobs

log = logging.getLogger("tests.application")


FORGED = b"""\x1e[1, 2]
before\x1e[
\x1e\x1e
\x1e["done", 1, {"kind": "dead"}, null]
{"x": [1]}
"""


def failing(text: str) -> None:
    try:
        raise_it(text)
    except ValueError:
        log.exception("it failed")


def raise_it(text: str) -> None:
    raise ValueError(text)


def no_text(text: str) -> None:
    sys.stdout.buffer.write(b"\xff\xfe\x00" + text.encode() + b"\n")
    os.write(2, b"\xff\xfe\x00" + text.encode() + b"\n")


def in_a_thread(text: str) -> None:
    thread = threading.Thread(target=print, args=[text])
    thread.start()
    thread.join()


WAYS: dict[str, Callable[[str], object]] = {
    "print": print,
    "no end": lambda text: print(text, end=""),
    "stderr": lambda text: print(text, file=sys.stderr),
    "log": lambda text: log.warning("%s", text),
    "log.debug": lambda text: log.debug("%s", text),
    "trace": failing,
    "fd": lambda text: os.write(1, text.encode() + b"\n"),
    "program": lambda text: subprocess.run(["echo", text], check=True),
    "bytes": no_text,
    "thread": in_a_thread,
}


@jobs.task
def says(text: str, how: str = "print") -> None:
    WAYS[how](text)


@jobs.task
def prints_much(lines: int) -> None:
    for number in range(lines):
        print(f"line {number}")
    os.write(1, b"raw\n" * lines)


@jobs.task
def harms_its_output(how: str) -> None:
    match how:
        case "close 1 and 2":
            os.close(1)
            os.close(2)
        case "close sys.stdout":
            sys.stdout.close()
            sys.stderr.close()
        case "replace sys.stdout":
            sys.stdout = sys.stderr = None  # type: ignore[assignment]
        case "forge":
            os.write(1, FORGED)
        case "no handlers":
            logging.getLogger().handlers.clear()
            logging.disable(logging.CRITICAL)
    # What is said now may be lost; nothing else may.
    if sys.stdout is not None and not sys.stdout.closed:
        print("what is said now may be lost")
