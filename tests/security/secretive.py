"""An application whose tasks take secrets, fail in every way, and say the secret where they can."""

from __future__ import annotations

HUSH = 'hunter2-of-the-"argument"\nsecond line'
TELLTALES = ("hunter2-of-the-", "second line")
"""Pieces of it that are found however it was escaped."""

APPLICATION = """
import asyncio
import logging
from typing import Annotated

from pydantic import BaseModel, SecretStr, TypeAdapter

from jobqueue import Cancel, Constant, JobQueue, Retry, Secret, Snooze, current_job

jobs = JobQueue()
again = Retry(attempts=2, backoff=Constant(0.01))
Token = Annotated[str, Secret]


def hides(function):
    return jobs.task(retry=again)(function)


# These do not say it themselves: what is shown of it would be our doing.

@hides
def fails(user: str, token: Token, password: SecretStr) -> None:
    logging.getLogger("app").debug("at work")
    raise RuntimeError(f"no {current_job()!r} {fails!r} {jobs!r} {password!r}")


@hides
async def fails_in_a_coroutine(token: Token) -> None:
    local = token
    await asyncio.sleep(0)
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


@hides
async def interrupted(token: Token) -> None:
    await asyncio.sleep(60)


@hides
async def cancelled(token: Token) -> None:
    raise Cancel("as asked")


@hides
def commits_and_fails(token: Token) -> None:
    with current_job().transaction() as connection:
        connection.execute("SELECT %s::text", [token])
    raise RuntimeError("too late")


@hides
async def breaks_the_database(token: Token) -> None:
    async with current_job().transaction() as connection:
        await connection.execute("SELECT 1 / length(%s::text) / 0", [token])


@hides
def mistyped(user: int, token: Token, numbers: Annotated[list[int], Secret]) -> None: ...


@hides
def renamed(token: Token) -> None: ...
"""

SAYING = """

# These say it themselves.

@hides
def says(token: Token) -> None:
    raise RuntimeError(f"no entry for {token}")


@hides
async def says_by_repr(token: Token) -> None:
    raise KeyError(token)


@hides
def says_in_a_chain(token: Token) -> None:
    try:
        raise ValueError(f"inner {token}")
    except ValueError as error:
        raise RuntimeError("outer") from error


@hides
def says_in_a_note(token: Token) -> None:
    error = RuntimeError("noted")
    error.add_note(f"with {token}")
    raise error


@hides
async def says_in_a_group(token: Token) -> None:
    raise ExceptionGroup("several", [ValueError(token), KeyError(token)])


@hides
def says_by_pydantic(password: SecretStr) -> None:
    TypeAdapter(int).validate_python(password.get_secret_value())


@hides
def says_when_it_cancels(token: Token) -> None:
    raise Cancel(f"no use: {token}")


@hides
def says_when_it_retries(token: Token) -> None:
    raise Retry(f"later: {token}", after=0.01)


@hides
def says_after_all(token: Token) -> None:
    with current_job().transaction() as connection:
        connection.execute("SELECT 1")
    raise RuntimeError(f"too late for {token}")


@hides
async def says_at_length(token: Token) -> None:
    raise RuntimeError("x" * 1_990 + token + "x" * 20_000 + token)
"""
