"""How an attempt ended, judged in one place for every pool, in the process where its task is."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from typing import Any, NamedTuple

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.errors import AlreadyProcessed, LeaseLost, PartlyCommitted, one_line
from jobqueue.core.hiding import secret_texts
from jobqueue.core.json_values import holds_nul, to_json
from jobqueue.core.outcome import (
    Cancel,
    Kind,
    Snooze,
    UnstorableResult,
    Verdict,
    judge,
    named,
)
from jobqueue.core.retry import Retry
from jobqueue.store.claims import Claimed

log = logging.getLogger("jobqueue.worker")

# Results travel in batches, and are kept in a table that many read.
LONGEST_RESULT = 2**20
LONGEST_REASON = 200


class Ending(NamedTuple):
    """How an attempt ended.

    verdict: what is to become of the job; None if it completed.
    error: what it raised, for the log; None if it is in the verdict or there is none.
    result: what the task returned, as JSON, if it is to be kept.
    settled: nothing is left to record: the job's own transaction did it, or its lease is lost.
    """

    verdict: Verdict | None = None
    error: BaseException | None = None
    result: str | None = None
    settled: bool = False


COMPLETED = Ending()
SETTLED = Ending(settled=True)


def returned(task: Task[..., Any], attempt: Attempt, value: object) -> Ending:
    """Say how an attempt ended whose task returned `value`. Raises UnstorableResult."""
    if task.returns and attempt.overruled is None:
        return Ending(result=result_text(task.name, value), settled=attempt.completed)
    if attempt.overruled is not None:
        return raised(task, attempt, attempt.overruled)
    return SETTLED if attempt.completed else COMPLETED


def raised(
    task: Task[..., Any],
    attempt: Attempt,
    error: BaseException,
    secrets: tuple[str, ...] | None = None,
) -> Ending:
    """Say how an attempt ended whose task raised `error`.

    Once it was told to stop, what it made of that is not its own doing, unless it says what is to
    become of the job. secrets: what is to be hidden in it, if that is more than the job's own.
    """
    if secrets is None:
        secrets = secret_texts(attempt.job.args, task.signature.secrets)
    if attempt.completed:
        job = attempt.job
        log.error(
            "job %s %s: completed, but then raised %s", job.task, job.id, named(error, secrets)
        )
        return SETTLED
    error = attempt.overruled or error
    if isinstance(error, AlreadyProcessed):
        log.info("%s", error)
        return COMPLETED
    if isinstance(error, LeaseLost):
        log.warning("%s", error)
        return SETTLED
    if attempt.stopped is not None and not isinstance(error, Snooze | Cancel | Retry):
        # With the trace of where it was.
        error = attempt.stopped.with_traceback(error.__traceback__)
    verdict = _judged(task, attempt.job, error)
    return Ending(replace(verdict, secrets=secrets), error)


def given_up(task: Task[..., Any], attempt: Attempt) -> Ending:
    """Say how an attempt ended that was told to stop and runs on regardless."""
    if attempt.completed:
        return SETTLED
    assert attempt.stopped is not None  # noqa: S101 - nothing else is given up
    return Ending(_judged(task, attempt.job, attempt.stopped), attempt.stopped)


def result_text(task: str, value: object) -> str:
    """Write what a task returned as JSON. Raises UnstorableResult if that is not possible."""
    kind = type(value).__name__
    try:
        encoded = to_json(value)
    except Exception as error:  # noqa: BLE001 - what it was made of may raise anything
        reason = one_line(error)[:LONGEST_REASON]
        raise UnstorableResult(
            f"task {task!r}: returned a {kind} that JSON cannot hold ({reason}); return text, "
            "numbers, lists and dicts, or leave out returns=True"
        ) from None
    if holds_nul(encoded):
        raise UnstorableResult(
            f"task {task!r}: returned a {kind} that holds the character NUL, which PostgreSQL "
            "cannot keep; leave it out"
        )
    if len(encoded) > LONGEST_RESULT:
        raise UnstorableResult(
            f"task {task!r}: returned a {kind} of {len(encoded):,} bytes as JSON, more than "
            f"{LONGEST_RESULT:,}; keep it in a table or a file and return where it is"
        )
    return encoded.decode()


def _judged(task: Task[..., Any], job: Claimed, error: BaseException) -> Verdict:
    if isinstance(error, PartlyCommitted):
        return Verdict(Kind.DEAD, error=error)
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
