"""How a job ended, judged in the process that ran it: there its task and its exceptions are."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.errors import AlreadyProcessed, LeaseLost, PartlyCommitted
from jobqueue.core.hiding import secret_texts
from jobqueue.core.outcome import Cancel, Kind, Snooze, Verdict, describe, judge
from jobqueue.core.retry import Retry
from jobqueue.worker.processes.messages import Fields

log = logging.getLogger("jobqueue.worker")


def ended(
    task: Task[..., Any], attempt: Attempt, error: BaseException | None, *, interrupted: bool
) -> Fields:
    """Say how the attempt ended. error: what the task raised, if anything.

    interrupted: it was told to stop. What it made of that was not its own doing.
    """
    secrets = secret_texts(attempt.job.args, task.signature.secrets)
    if attempt.completed:
        if error is not None:
            what = described(error, secrets)
            log.error("completed, but then raised %s: %s", what["error"], what["message"])
        return {"kind": Kind.COMPLETED, "settled": True}
    error = attempt.overruled or error
    if error is None:
        return {"kind": Kind.COMPLETED}
    if isinstance(error, AlreadyProcessed):
        log.info("%s", error)
        return {"kind": Kind.COMPLETED}
    if isinstance(error, LeaseLost):
        log.warning("%s", error)
        return {"kind": Kind.HANDED_BACK, "settled": True}
    if interrupted and not isinstance(error, Snooze | Cancel | Retry):
        verdict = Verdict(Kind.HANDED_BACK, refund=True, error=error)
        return {**_fields(verdict, secrets), "interrupted": True}
    return _fields(_judged(task, attempt, error), secrets)


def _judged(task: Task[..., Any], attempt: Attempt, error: BaseException) -> Verdict:
    if isinstance(error, PartlyCommitted):
        return Verdict(Kind.DEAD, error=error)
    job = attempt.job
    try:
        return judge(
            error,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            retry=task.retry,
            chance=random.random(),  # noqa: S311 - jitter
        )
    except BaseException as broken:  # noqa: BLE001 - a backoff is user code, and may raise anything
        broken.__context__ = error
        return Verdict(Kind.DEAD, error=broken)


def _fields(verdict: Verdict, secrets: Sequence[str]) -> Fields:
    return {
        "kind": verdict.kind,
        "delay_seconds": verdict.delay_seconds,
        "refund": verdict.refund,
        "error": None if verdict.error is None else described(verdict.error, secrets),
    }


def described(error: BaseException, secrets: Sequence[str] = ()) -> dict[str, str]:
    """Describe an error, if need be with as little as its class's name."""
    try:
        return describe(error, secrets)
    except BaseException as broken:  # noqa: BLE001 - memory may be short, the stack too deep
        said = f"<it could not be described: {type(broken).__name__}>"
        return {"error": type(error).__name__, "message": said, "traceback": ""}
