"""An application with lifespans, for child processes; what happens is noted as in `application`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

from jobqueue import JobQueue, Retry, current_job

jobs = JobQueue()


def note(text: str) -> None:
    with Path(os.environ["HOOKS_NOTES"]).open("a") as file:
        file.write(f"{os.getpid()} {text}\n")


def behaves(how: str) -> bool:
    """Whether a test wants this of the lifespans."""
    return how in os.environ.get("HOOKS_LIFESPANS", "")


@jobs.lifespan
def plain() -> Generator[dict[str, Any], None, None]:
    note("plain opens")
    yield {"plain": f"opened in {os.getpid()}"}
    note("plain closes")
    if behaves("hangs"):
        time.sleep(60)


@jobs.lifespan
async def client() -> AsyncGenerator[dict[str, Any]]:
    if behaves("fails in children") and os.environ["HOOKS_WORKER"] != f"{os.getpid()}":
        raise ConnectionError("nobody answers")
    await asyncio.sleep(0)
    note("client opens")
    yield {"loop": asyncio.get_running_loop()}
    await asyncio.sleep(0)
    note("client closes")


@jobs.task(pool="process", returns=True)
def use() -> str:
    return current_job().resources["plain"]


@jobs.task(pool="process", returns=True)
async def on_the_same_loop() -> bool:
    return current_job().resources["loop"] is asyncio.get_running_loop()


@jobs.task(pool="process", retry=Retry(attempts=1))
def misses() -> None:
    current_job().resources["cache"]


@jobs.task(pool="process", retry=Retry(attempts=1))
async def stops_the_loop() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(60)


@jobs.task(pool="process", retry=Retry(attempts=1))
def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
