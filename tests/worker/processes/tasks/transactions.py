"""Tasks that count in the job's own transaction."""

from __future__ import annotations

import asyncio
import functools

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine

from jobqueue import Constant, Retry, current_job
from tests.worker.effects import COUNT, async_engine
from tests.worker.processes.tasks.deaths import die
from tests.worker.processes.tasks.registry import jobs


@jobs.task
def counts(after: str = "") -> None:
    with current_job().transaction() as connection:
        connection.execute(COUNT)
    die(after)
    if after == "raise":
        raise ValueError("too late")


@jobs.task
async def async_counts(after: str = "") -> None:
    async with current_job().transaction() as connection:
        await connection.execute(COUNT)
    die(after)
    if after == "raise":
        raise ValueError("too late")


@jobs.task(retry=Retry(attempts=3, backoff=Constant(7), jitter=0))
def counts_and_fails(how: str) -> None:
    with current_job().transaction() as connection:
        connection.execute(COUNT)
        die(how)
        raise ValueError("in the block")


@functools.cache
def engine(url: str) -> AsyncEngine:
    return async_engine("asyncpg")(url)


@jobs.task
async def async_counts_by_engine(url: str) -> None:
    async with current_job().transaction(engine(url)) as connection:
        await connection.execute(sqlalchemy.text(COUNT))


@jobs.task
def async_block_in_a_plain_function() -> None:
    async def block() -> None:
        async with current_job().transaction():
            raise AssertionError("entered")

    asyncio.run(block())
