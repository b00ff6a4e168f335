"""How a job ended, as it crosses: judged in the process that ran it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.outcome import Kind, describe
from jobqueue.worker.ending import COMPLETED, SETTLED, raised
from jobqueue.worker.processes.messages import Fields


def ended(task: Task[..., Any], attempt: Attempt, error: BaseException | None) -> Fields:
    """Say how the attempt ended. error: what the task raised, if anything."""
    error = error or attempt.overruled
    ending = COMPLETED if error is None else raised(task, attempt, error)
    verdict = ending.verdict
    if verdict is None:
        settled = attempt.completed or ending is SETTLED
        # The lease is lost if the job's own transaction has not completed it.
        kind = Kind.HANDED_BACK if settled and not attempt.completed else Kind.COMPLETED
        return {"kind": kind, "settled": settled}
    return {
        "kind": verdict.kind,
        "delay_seconds": verdict.delay_seconds,
        "refund": verdict.refund,
        "error": None if verdict.error is None else described(verdict.error, verdict.secrets),
        "interrupted": verdict.error is not None and verdict.error is attempt.stopped,
    }


def described(error: BaseException, secrets: Sequence[str] = ()) -> dict[str, str]:
    """Describe an error, if need be with as little as its class's name."""
    try:
        return describe(error, secrets)
    except BaseException as broken:  # noqa: BLE001 - memory may be short, the stack too deep
        said = f"<it could not be described: {type(broken).__name__}>"
        return {"error": type(error).__name__, "message": said, "traceback": ""}
