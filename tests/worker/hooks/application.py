"""An application with the same tasks in each pool, and hooks that behave as a task's name says.

What happens is noted in the file that HOOKS_NOTES names, for a child process has no other way.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jobqueue import Cancel, CurrentJob, JobQueue, Retry, Snooze, current_job

jobs = JobQueue()
who: ContextVar[str] = ContextVar("who", default="nobody")

POOLS: dict[str, Any] = {
    "on_loop": "async",
    "in_thread": "thread",
    "in_child": "process",
    "on_loop_of_child": "process",
}
ASYNC = {"on_loop", "on_loop_of_child"}


def note(text: str) -> None:
    job = current_job()
    where = f"{os.getpid()} {threading.get_ident()}"
    with Path(os.environ["HOOKS_NOTES"]).open("a") as file:
        file.write(f"{job.task} | {text} | {where}\n")


def _raise(error: BaseException) -> None:
    raise error


def _until_told() -> None:
    """Wait, with checkpoints, to be stopped."""
    for _ in range(2000):
        current_job().check()
        time.sleep(0.01)


BEFORE: dict[str, Callable[[], object]] = {
    "raises_before": lambda: 1 / 0,
    "exits_before": lambda: exec("raise SystemExit('hook leaves')"),
    "snoozes": lambda: _raise(Snooze(3600)),
    "cancels": lambda: _raise(Cancel("the hook says so")),
    "retries": lambda: _raise(Retry(after=3600)),
    "blocks_before": _until_told,
}
AFTER: dict[str, Callable[[], object]] = {
    "raises_after": lambda: 1 / 0,
    "snoozes_after": lambda: _raise(Snooze(3600)),
    "cancels_after_failure": lambda: _raise(Cancel("too late")),
}
FAILING = {"fails", "cancels_after_failure", "fails_and_is_replaced"}
BEHAVIOURS = [
    *("completes", "fails", "fails_and_is_replaced", "leaves_early", "yields_again"),
    *BEFORE,
    *AFTER,
]


@jobs.around_attempt
def outer(job: CurrentJob) -> Generator[None, Any, None]:
    note("outer begins")
    token = who.set("outer")
    try:
        result = yield
    except BaseException as error:
        note(f"outer sees {type(error).__name__}")  # and swallows it
    else:
        note(f"outer gets {result}")
    who.reset(token)


@jobs.around_attempt
async def deep(job: CurrentJob) -> AsyncGenerator[None, Any]:
    await asyncio.sleep(0)
    note("deep begins")
    try:
        result = yield
    except Exception as error:
        await asyncio.sleep(0)
        note(f"deep sees {type(error).__name__}")
        raise
    await asyncio.sleep(0)
    note(f"deep gets {result}")


@jobs.around_attempt
def inner(job: CurrentJob) -> Generator[None, Any, None]:
    behaviour = job.task.partition("/")[0]
    if behaviour == "leaves_early":
        return
    BEFORE.get(behaviour, int)()
    note("inner begins")
    try:
        yield
    except ValueError as error:
        if behaviour == "fails_and_is_replaced":
            raise RuntimeError("instead") from error
    AFTER.get(behaviour, int)()
    if behaviour == "yields_again":
        yield
    note("inner ends")


def _plain(name: str) -> Callable[[], str]:
    def run() -> str:
        note(f"runs for {who.get()}")
        if name in FAILING:
            raise ValueError("of the task")
        return "its result"

    return run


def _coroutine(name: str) -> Callable[[], Any]:
    run = _plain(name)

    async def arun() -> str:
        await asyncio.sleep(0)
        return run()

    return arun


for place, pool in POOLS.items():
    for behaviour in BEHAVIOURS:
        make = _coroutine if place in ASYNC else _plain
        jobs.task(
            name=f"{behaviour}/{place}",
            pool=pool,
            retry=Retry(attempts=2, backoff=lambda _: 3600),
            timeout=1 if behaviour == "blocks_before" and place not in ASYNC else None,
            returns=True,
        )(make(behaviour))
