"""What is noted of each attempt when it ends: it is counted, and has its line in the log."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from jobqueue.client.task import Task
from jobqueue.core.outcome import Kind, Verdict, describe, named
from jobqueue.observe.logs.events import Fields, job_fields, said
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.store.claims import Claimed

log = logging.getLogger("jobqueue.worker")

LONGEST_ARGS = 10_000
"""Characters of a failed job's arguments that are shown in its line."""

MOST_LINES = 200
"""Lines of attempts that complete, a second, beside which the others are sampled."""
SHARE_BEYOND = 0.001
"""Of those others, how many have a line."""

WORDS = {
    Kind.RETRIED: "to be tried again",
    Kind.SNOOZED: "snoozed",
    Kind.HELD: "snoozed, and its rate held",
    Kind.HANDED_BACK: "handed back",
    Kind.CANCELLED: "cancelled",
    Kind.DEAD: "a dead letter now",
}
LEVELS = {
    Kind.DEAD: logging.ERROR,
    Kind.SNOOZED: logging.INFO,
    Kind.HELD: logging.INFO,
    Kind.CANCELLED: logging.INFO,
}


class Noted:
    """Counts attempts and logs them.

    logged_share: of the attempts that complete, how many have a line: from 0, none, to 1, all.
        None: all, but in a second that has MOST_LINES of them only few of the others.
    """

    def __init__(
        self,
        tallies: Tallies,
        logged_share: float | None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.tallies = tallies
        self._share = logged_share
        self._chance = chance
        self._second = 0
        self._completed = 0

    def completed(self, job: Claimed, began: float, seconds: float) -> None:
        """Note an attempt that completed its job. began: by `perf_counter`."""
        self.tallies.completed(job, began, seconds)
        share = self._share if self._share is not None else self._share_in(int(began + seconds))
        if share and (share >= 1 or self._chance() < share):
            self._log_completed(job, seconds, share)

    def _share_in(self, second: int) -> float:
        """Give the share to be logged of what completes in this second."""
        if second != self._second:
            self._second, self._completed = second, 0
        self._completed += 1
        return 1.0 if self._completed <= MOST_LINES else SHARE_BEYOND

    def ended(
        self,
        task: Task[..., Any],
        job: Claimed,
        verdict: Verdict,
        error: BaseException | None,
        *,
        began: float,
        seconds: float,
    ) -> None:
        """Note an attempt that did not. error: what it raised, if that is not in the verdict."""
        self.tallies.ended(job, verdict.kind, began, seconds)
        error = error or verdict.error
        why = f": {named(error, verdict.secrets)}" if error is not None else ""
        again = f"; again in {verdict.delay_seconds:.1f} s" if verdict.delay_seconds else ""
        level = LEVELS.get(verdict.kind, logging.WARNING)
        if verdict.kind is Kind.HANDED_BACK and error is None:
            level = logging.INFO  # it has not begun
        log.log(
            level,
            "job %s %s %s ended after %.3f s, %s%s%s",
            *(job.task, job.id, _attempt(job), seconds, WORDS[verdict.kind], why, again),
            extra=said(partial(_failed, task, job, verdict, error, seconds)),
        )

    def _log_completed(self, job: Claimed, seconds: float, share: float) -> None:
        fields = _ended(job, Kind.COMPLETED, seconds)
        if share < 1:
            fields["sampled"] = share
        log.info(
            "job %s %s %s completed after %.3f s",
            *(job.task, job.id, _attempt(job), seconds),
            extra=said(fields),
        )


def _attempt(job: Claimed) -> str:
    return f"attempt {job.attempt}/{job.max_attempts}"


def _ended(job: Claimed, kind: Kind, seconds: float) -> Fields:
    return {
        **job_fields(job),
        "max_attempts": job.max_attempts,
        "outcome": kind.value,
        "duration_seconds": round(seconds, 6),
    }


def _failed(
    task: Task[..., Any],
    job: Claimed,
    verdict: Verdict,
    error: BaseException | None,
    seconds: float,
) -> Fields:
    """Give the fields of an attempt that did not complete its job."""
    fields = _ended(job, verdict.kind, seconds)
    if verdict.delay_seconds:
        fields["retry_in_seconds"] = round(verdict.delay_seconds, 3)
    if error is None or verdict.kind in {Kind.SNOOZED, Kind.HELD}:
        return fields
    described = describe(error, verdict.secrets)
    fields["error"] = described["error"]
    fields["error_message"] = described["message"]
    fields["args"] = _args(task, job)
    if described["traceback"]:
        fields["traceback"] = described["traceback"]
    return fields


def _args(task: Task[..., Any], job: Claimed) -> object:
    if len(job.args) > LONGEST_ARGS:
        return f"{len(job.args):,} characters"
    try:
        return task.signature.shown(orjson.loads(job.args))
    except ValueError:  # numbers of more than 64 bits
        return f"{len(job.args):,} characters that cannot be shown"
