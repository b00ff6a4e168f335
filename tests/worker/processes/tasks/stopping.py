"""Tasks that take long, and what they make of being stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from typing import Annotated

from pydantic import BeforeValidator

from tests.worker.processes.tasks.registry import jobs, note


@jobs.task
def polite(path: str) -> None:
    try:
        note(path, "begun")
        time.sleep(60)
    except BaseException as error:
        note(path, type(error).__name__)
        raise


@jobs.task
async def async_polite(path: str) -> None:
    note(path, "begun")
    try:
        await asyncio.sleep(60)
    except BaseException as error:
        note(path, type(error).__name__)
        raise


@jobs.task
def stubborn(path: str) -> None:
    note(path, "begun")
    while True:
        try:
            time.sleep(60)
        except BaseException as error:
            note(path, type(error).__name__)


@jobs.task
def deaf(path: str) -> None:
    """Take over every signal that can be, and start a program that outlives it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    program = subprocess.Popen(["sleep", "600"])
    note(path, program.pid)
    time.sleep(60)


@jobs.task
def tidy(path: str) -> str:
    note(path, "begun")
    try:
        time.sleep(60)
    except BaseException:
        return "done all the same"
    return "never told"


@jobs.task
def wraps_its_stop(path: str) -> None:
    note(path, "begun")
    try:
        time.sleep(60)
    except BaseException as error:
        raise RuntimeError("I was disturbed") from error


def slowly(value: str) -> str:
    note(value, "reading")
    time.sleep(0.5)
    return value


@jobs.task
def slow_to_read(path: Annotated[str, BeforeValidator(slowly)]) -> None:
    """Take long before its code begins."""
    note(path, "begun")
    time.sleep(60)


@jobs.task
async def slow_to_read_async(path: Annotated[str, BeforeValidator(slowly)]) -> None:
    note(path, "begun")
    await asyncio.sleep(60)
