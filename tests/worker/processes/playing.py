"""Running a pool of child processes inside a test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from jobqueue.store.claims import Claimed
from jobqueue.worker.processes import Limits, Outcome, Processes
from tests.waiting import auntil

APPLICATION = "tests.worker.processes.tasks:jobs"

_leases = itertools.count(1)


def job(task: str, /, *, attempt: int = 1, max_attempts: int = 3, **args: Any) -> Claimed:
    """Make a job as a claim gives it."""
    written = orjson.dumps(args).decode()
    return stored(task, written, attempt=attempt, max_attempts=max_attempts)


def stored(task: str, args: str, *, attempt: int = 1, max_attempts: int = 3) -> Claimed:
    """Make a job of arguments as they are stored."""
    return Claimed(
        id=str(uuid4()),
        task=task,
        args=args,
        attempt=attempt,
        max_attempts=max_attempts,
        queue="default",
        lease=next(_leases),
        priority=5,
        run_at=1e9,
    )


@asynccontextmanager
async def pool(
    *,
    size: int = 1,
    application: str = APPLICATION,
    database_url: str | None = None,
    imports: Iterable[str] = (),
    lease_ends: Callable[[], float] | None = None,
    **limits: Any,
) -> AsyncIterator[Processes]:
    """Open a pool, and close it without grace."""
    chosen = Limits(**{"interrupt_seconds": 1.0, **limits})
    it = Processes(
        application,
        imports,
        size=size,
        database_url=database_url,
        limits=chosen,
        lease_ends=lease_ends,
    )
    try:
        yield it
    finally:
        await it.close()


async def result(pool: Processes, given: Claimed) -> Any:
    """Run a job that completes, and give what it returned."""
    outcome = await pool.call(given, wants_result=True)
    assert outcome.kind == "completed", outcome
    assert outcome.result is not None
    return orjson.loads(outcome.result)


async def pid(pool: Processes) -> int:
    """Give the number of the process that runs jobs now."""
    return (await result(pool, job("pid")))[0]


async def known_as_short(pool: Processes, task: str, **args: Any) -> None:
    """Run jobs of a task until the pool sends several of them to a child at once."""
    for _ in range(5):
        await asyncio.gather(*(pool.call(job(task, **args)) for _ in range(10)))


def lines(path: Path) -> list[str]:
    """Give what jobs have noted."""
    return path.read_text().splitlines() if path.exists() else []


async def has_noted(path: Path, text: str) -> None:
    """Wait until a job has noted `text`."""
    await auntil(lambda: text in lines(path), what=f"{text!r} is noted")


def started(pool: Processes, given: Claimed) -> asyncio.Task[Outcome]:
    """Run a job beside what the test does."""
    return asyncio.create_task(pool.call(given))


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
