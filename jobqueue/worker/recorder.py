"""Handing to the acker how attempts ended, each job of a batch by itself."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.outcome import Interrupted
from jobqueue.observe.attempts import Noted
from jobqueue.worker.acker import Acker
from jobqueue.worker.ending import SETTLED, Ending, given_up


class Recorder:
    """Notes endings. interrupted: how many attempts were interrupted so far."""

    def __init__(self, acker: Acker, noted: Noted) -> None:
        self._acker = acker
        self._noted = noted
        self.interrupted = 0

    def record(
        self, task: Task[..., Any], attempt: Attempt, ending: Ending | list[Ending], seconds: float
    ) -> None:
        """Note how an attempt ended. ending: of each job, if it was a batch that ran."""
        members = attempt.members
        endings = ending if isinstance(ending, list) else [ending] * len(members)
        for one, its in zip(members, endings, strict=True):
            self._record(task, one, its, seconds)

    def record_given_up(self, task: Task[..., Any], attempt: Attempt) -> None:
        """Note the end of an attempt that was told to stop and runs on regardless."""
        seconds = perf_counter() - attempt.began
        for one in attempt.members:
            self._record(task, one, given_up(task, one), seconds)

    def _record(
        self, task: Task[..., Any], attempt: Attempt, ending: Ending, seconds: float
    ) -> None:
        verdict = ending.verdict
        if verdict is None:
            if ending.result is not None:
                self._acker.returned(attempt.job, seconds, ending.result, settled=ending.settled)
            elif not ending.settled:
                self._acker.completed(attempt.job, seconds, keep=task.history)
            if attempt.completed or ending is not SETTLED:  # or else its lease was lost
                self._noted.completed(attempt.job, attempt.began, seconds)
            return
        if isinstance(verdict.error, Interrupted):
            self.interrupted += 1
        self._acker.not_completed(attempt.job, verdict)
        self._noted.ended(
            task, attempt.job, verdict, ending.error, began=attempt.began, seconds=seconds
        )
