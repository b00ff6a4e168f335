"""Tasks that end in every way there is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated

from jobqueue import (
    AlreadyProcessed,
    Cancel,
    Constant,
    LeaseLost,
    PartlyCommitted,
    Retry,
    Secret,
    Snooze,
)
from jobqueue.client.context import current_attempt
from jobqueue.worker.processes.interrupts import Interruption
from tests.worker.processes.tasks.registry import jobs


class OwnError(Exception):
    def __init__(self, one: int, two: str) -> None:
        super().__init__(f"{one} and {two}")
        self.lock = threading.Lock()  # which cannot be pickled


class Hopeless(OwnError):
    pass


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class OwnBase(BaseException):
    pass


def its_own_cause() -> BaseException:
    error = ValueError("round and round")
    error.__cause__ = error
    return error


def too_deep(depth: int = 0) -> None:
    too_deep(depth + 1)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "retry": lambda: Retry("please", after=60),
    "snooze": lambda: Snooze(30),
    "cancel": lambda: Cancel("nobody needs it"),
    "own": lambda: OwnError(1, "two"),
    "hopeless": lambda: Hopeless(1, "two"),
    "processed": lambda: AlreadyProcessed("done before"),
    "lost": lambda: LeaseLost("another has it"),
    "partly": lambda: PartlyCommitted("half of it"),
    "unreadable": Unreadable,
    "not storable": lambda: ValueError("a NUL \x00, a lone surrogate \ud800 and " + "x" * 100_000),
    "base": lambda: OwnBase("of a kind nobody expects"),
    "exit": lambda: SystemExit(3),
    "keyboard": KeyboardInterrupt,
    "generator": GeneratorExit,
    "stop": StopIteration,
    "cancelled": asyncio.CancelledError,
    "interruption": lambda: Interruption("of its own"),
    "group": lambda: BaseExceptionGroup("several", [SystemExit(1), ValueError("two")]),
    "cause": its_own_cause,
}


@jobs.task(retry=Retry(attempts=3, backoff=Constant(7), jitter=0, give_up_on=Hopeless))
def raising(what: str) -> None:
    if what == "deep":
        too_deep()
    error = ERRORS[what]()
    raise error


@jobs.task(name="raising_async", retry=Retry(attempts=3, backoff=Constant(7), jitter=0))
async def raising_async(what: str) -> None:
    await asyncio.sleep(0)
    raising(what)


def broken_backoff(attempt: int) -> float:
    raise SystemExit("the backoff leaves")


@jobs.task(retry=Retry(attempts=3, backoff=broken_backoff))
def with_broken_backoff() -> None:
    raise ValueError("the error itself")


@jobs.task
def secretive(token: Annotated[str, Secret]) -> None:
    raise ValueError(f"could not log in with {token}")


@jobs.task
def gives_what_json_cannot_hold() -> object:
    return threading.Lock()


@jobs.task
def gives_a_coroutine() -> object:
    return asyncio.sleep(0)


@jobs.task
def complete_then_raise() -> None:
    current_attempt.get().completed = True
    raise ValueError("too late")
