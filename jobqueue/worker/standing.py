"""How a worker stands, for those who look from outside, in whatever thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from jobqueue.observe.health import Health, Signs, live, ready
from jobqueue.observe.metrics.worker import Slots, Standing
from jobqueue.worker.acker import Acker
from jobqueue.worker.claimer import Claimer
from jobqueue.worker.clock import clock
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance import Leader
from jobqueue.worker.pools.assembly import Assembly
from jobqueue.worker.runner import Runner

# For the event loop to say that it is there.
ANSWER_SECONDS = 1.0
# A claim loop goes round at least so often, or twice as seldom as it is told to look.
LONGEST_TURN_SECONDS = 30.0


class LoopProbe:
    """Asks an event loop, from other threads, whether it is there."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: float | None = None
        self._answered = threading.Event()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Ask the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def silent_seconds(self) -> float:
        """Wait a moment for an answer; give for how long there was none, 0 if there is one."""
        loop = self._loop
        if loop is None:
            return 0.0
        with self._lock:
            if self._asked is None:
                self._answered.clear()
                self._asked = monotonic()
                with suppress(RuntimeError):  # it is closed
                    loop.call_soon_threadsafe(self._answered.set)
            if self._answered.wait(ANSWER_SECONDS):
                self._asked = None
                return 0.0
            return monotonic() - self._asked


class Outlook:
    """What can be seen of a worker. poll_seconds: its longest pause between two looks for jobs."""

    def __init__(
        self,
        *,
        runner: Runner,
        claimer: Claimer,
        acker: Acker,
        lease: Lease,
        leader: Leader,
        pools: Assembly,
        links: Sequence[Link],
        poll_seconds: float,
        longest_block_seconds: float,
    ) -> None:
        self._runner = runner
        self._claimer = claimer
        self._acker = acker
        self._lease = lease
        self._leader = leader
        self._pools = pools
        self._links = links
        self._longest_turn_seconds = max(LONGEST_TURN_SECONDS, 2 * poll_seconds)
        self._longest_block_seconds = longest_block_seconds
        self.loop = LoopProbe()

    def standing(self) -> Standing:
        """Give how the worker stands."""
        return Standing(
            slots={
                queue: Slots(line.concurrency, line.running, line.lost, len(line.buffer))
                for queue, line in self._runner.lines.items()
            },
            leads=self._leader.leads,
            unrecorded=self._acker.waiting,
            connections_lost=sum(link.losses for link in self._links),
            processes_lost=self._pools.processes_lost,
            signs=self._signs(0.0),
        )

    def health(self, kind: str) -> Health:
        """Say whether it is `live`, or `ready`."""
        signs = self._signs(self.loop.silent_seconds())
        return live(signs) if kind == "live" else ready(signs)

    def _signs(self, silent_seconds: float) -> Signs:
        lease, now = self._lease, monotonic()
        heartbeat_age = max(0.0, clock() - (lease.ends - lease.seconds))
        return Signs(
            working=lease.worker_id != 0 and self._claimer.turned_at > 0,
            draining=lease.draining,
            turned_age=now - self._claimer.turned_at,
            longest_turn_seconds=self._longest_turn_seconds,
            database_age=min(heartbeat_age, now - self._claimer.answered_at),
            heartbeat_age=heartbeat_age,
            heartbeat_seconds=lease.seconds / 3,
            claim_failed=self._claimer.failed,
            silent_seconds=silent_seconds,
            longest_block_seconds=self._longest_block_seconds,
        )
