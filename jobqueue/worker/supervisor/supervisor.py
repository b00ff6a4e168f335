"""The supervisor: keeps several workers running until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobqueue.worker.background import Background, first_of
from jobqueue.worker.supervisor.child import Child
from jobqueue.worker.supervisor.memory import memory_of, show_size
from jobqueue.worker.supervisor.place import Place
from jobqueue.worker.supervisor.reload import changes

log = logging.getLogger("jobqueue.supervisor")

MEMORY_PAUSE_SECONDS = 1.0
# For a worker to take back what a dead neighbour held, before the next one is asked.
INHERIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """How a supervisor keeps its workers.

    grace_seconds: what the workers were told, so that it knows when one should have ended.
    most_memory: bytes that one may use before another takes its place.
    watched: a folder; when its Python files change, all workers are started again.
    """

    processes: int
    grace_seconds: float
    most_memory: int | None = None
    watched: Path | None = None


class Supervisor:
    """Keeps workers running: `command`, in so many processes.

    The first is started alone, and once it works, the others: what keeps it from starting would
    keep all of them, and is said once.
    """

    def __init__(self, command: Sequence[str], settings: SupervisorSettings) -> None:
        self._command = command
        self._settings = settings
        self._places = [Place(number) for number in range(1, settings.processes + 1)]
        self._stopping = asyncio.Event()
        # A worker has started with the code as it is now.
        self._proven = asyncio.Event()
        self._changed = asyncio.Event()
        self._beside = set[asyncio.Task[None]]()
        self._rolling: asyncio.Task[None] | None = None
        self._roll_again = False

    async def run(self) -> list[int]:
        """Keep the workers running until told to stop.

        Gives the exit codes of those that ran last, negative for a signal.
        """
        self._heed_signals()
        log.info("supervisor: starts its workers: %d", len(self._places))
        duties: list[Coroutine[Any, Any, None]] = []
        if self._settings.most_memory is not None:
            duties.append(self._watch_memory(self._settings.most_memory))
        if self._settings.watched is not None:
            duties.append(self._watch_code(self._settings.watched))
        async with Background(duties):
            return await asyncio.gather(*(self._keep(place) for place in self._places))

    def stop(self) -> None:
        """Have all workers drain, and end with them. A second call skips the wait."""
        present = [child for place in self._places if (child := place.present)]
        if self._stopping.is_set():
            for child in present:
                child.hurry()
            return
        self._stopping.set()
        log.info("supervisor: stopping; workers: %d (signal again to skip the wait)", len(present))
        for child in present:
            child.stop(self._settings.grace_seconds)

    async def _keep(self, place: Place) -> int:
        """Have one worker after the other in `place`. Gives the exit code of the last."""
        while True:
            if place is not self._places[0]:
                await first_of(self._proven.wait(), self._stopping.wait(), seconds=math.inf)
            if self._stopping.is_set():
                return 0
            changed = self._changed
            try:
                child = place.take(self._command)
            except OSError as error:
                log.error("worker %d: cannot be started (%s)", place.number, error)  # noqa: TRY400 - no bug of ours
                pause = place.backoff.pause_after(0)
            else:
                await self._see_through(child)
                if self._hopeless(child):
                    self._stopping.set()
                if self._stopping.is_set():
                    return child.last_code
                pause = self._pause_after(place, child)
            await first_of(self._stopping.wait(), changed.wait(), seconds=pause)

    async def _see_through(self, child: Child) -> None:
        """Wait for the end of a worker. What it held at its death is taken back at once."""
        await first_of(child.started.wait(), child.ended.wait(), seconds=math.inf)
        if child.started.is_set():
            self._proven.set()
        await child.ended.wait()
        if child.started.is_set() and child.exit_code:
            task = asyncio.create_task(self._have_inherited())
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)

    def _hopeless(self, child: Child) -> bool:
        """Whether it said that it cannot start, before any other did."""
        if self._settings.watched is not None or self._proven.is_set() or child.was_killed:
            return False
        if not self._stopping.is_set():
            log.info("%s %s before it had started", child, child.how_it_ended())
        return True

    def _pause_after(self, place: Place, child: Child) -> float:
        """Say what became of a worker, and give the seconds until the next is started."""
        if child.replaced:
            return 0.0
        if self._settings.watched is not None and not self._proven.is_set():
            log.warning("%s %s; waiting for a change of the code", child, child.how_it_ended())
            return math.inf
        pause = place.backoff.pause_after(child.lived_seconds)
        when = f" in {pause:g} s" if pause else ""
        log.warning("%s %s; starting another%s", child, child.how_it_ended(), when)
        return pause

    async def _have_inherited(self) -> None:
        """Have a worker that is left take back what a dead one held.

        The next worker in its place would do it too, but that may have to wait.
        """
        for place in self._places:
            if child := place.working:
                child.inherit()
                await first_of(child.inherited.wait(), child.ended.wait(), seconds=INHERIT_SECONDS)
                if child.inherited.is_set():
                    return

    async def _watch_memory(self, most: int) -> None:
        while True:
            await asyncio.sleep(MEMORY_PAUSE_SECONDS)
            for place in self._places:
                child = place.working
                if child and not child.stopping and (used := memory_of(child.pid)) > most:
                    log.warning(
                        "%s: uses %s of memory, more than %s; it drains, and another follows",
                        *(child, show_size(used), show_size(most)),
                    )
                    child.stop(self._settings.grace_seconds)

    async def _watch_code(self, folder: Path) -> None:
        async for names in changes(folder):
            if self._stopping.is_set():
                return
            log.info("changed: %s; starting the workers again", ", ".join(names))
            self._proven.clear()
            self._changed.set()
            self._changed = asyncio.Event()
            for place in self._places:
                if child := place.present:
                    child.replace_changed()

    async def _roll(self) -> None:
        """Put a new worker in the place of each, one after the other."""
        self._roll_again = False
        for place in self._places:
            child = place.working
            if child is None or child.stopping or self._stopping.is_set():
                continue
            log.info("%s: makes room for another", child)
            if not await place.renew(child, self._settings.grace_seconds):
                log.error(
                    "worker %d did not start again; the others go on as they are", place.number
                )
                return
        if self._roll_again:
            await self._roll()
        else:
            log.info("supervisor: all workers are new")

    def _start_rolling(self) -> None:
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.create_task(self._roll())
        else:
            log.info("supervisor: will make all workers new once more")
            self._roll_again = True

    def _look(self) -> None:
        for place in self._places:
            if place.child is not None:
                place.child.look()

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._look)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # it is under nohup
            # From a terminal it says that the terminal is gone.
            heed = self.stop if _has_terminal() else self._start_rolling
            loop.add_signal_handler(signal.SIGHUP, heed)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
