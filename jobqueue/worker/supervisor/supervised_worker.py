"""A worker as one of a supervisor's."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from dataclasses import replace

import psycopg

from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import one_line
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.supervisor.tie import CHANGED_GRACE_SECONDS, Tie, Word
from jobqueue.worker.worker import Farewell, Worker

log = logging.getLogger("jobqueue.worker")

# A terminal sends them to the supervisor as well, and the supervisor decides what they mean.
LEFT_TO_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP)


class SupervisedWorker(Worker):
    """A worker that its supervisor started; it drains when the supervisor is gone.

    However many signals reach it, they are one wish to stop: some process managers send theirs to
    every process there is. Only the supervisor's word makes it skip the wait.

    end: its end of the tie.
    """

    def __init__(
        self,
        jobs: JobQueue,
        settings: WorkerSettings,
        *,
        end: socket.socket,
        database_url: str | None = None,
        direct_url: str | None = None,
        application: str | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        super().__init__(
            jobs,
            settings,
            database_url=database_url,
            direct_url=direct_url,
            application=application,
            imports=imports,
        )
        self._end = end
        self._tie: Tie | None = None
        self._inheriting: asyncio.Task[None] | None = None

    async def run(self) -> Farewell:
        """Work until told to stop, and say how it ended."""
        self.heed_signals([signal.SIGTERM], self._stop_once)
        self.heed_signals(LEFT_TO_THE_SUPERVISOR, lambda: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_THE_SUPERVISOR)
        self._tie = Tie(self._end, self._heard, self._abandoned)
        try:
            return await super().run()
        finally:
            self._tie.close()

    async def _enter(self) -> None:
        await super()._enter()
        self._say(Word.STARTED)

    def _stop_once(self) -> None:
        if not self._told:
            self.stop()

    def _abandoned(self) -> None:
        if not self._stop.is_set():
            log.warning("worker %s: its supervisor is gone", self._lease.name)
            self.stop()

    def _heard(self, word: str) -> None:
        match word:
            case Word.HURRY:
                self._stop_once()
                self.stop()
            case Word.CHANGED:
                grace = min(self._settings.grace_seconds, CHANGED_GRACE_SECONDS)
                self._settings = replace(self._settings, grace_seconds=grace)
            case Word.INHERIT:
                self._inheriting = asyncio.create_task(self._inherit())
            case _:
                pass

    async def _inherit(self) -> None:
        try:
            await self._lease.inherit()
        except psycopg.Error as error:
            log.warning("jobs of a worker that died here: not taken back (%s)", one_line(error))
        else:
            self._say(Word.INHERITED)

    def _say(self, word: Word) -> None:
        if self._tie is not None:
            self._tie.say(word)
