"""The adversary: carries out the plan, and notes what it did to whom."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from time import monotonic

import psycopg

from tests.chaos import notes
from tests.chaos.happened import KILLED, STOPPED, Happened
from tests.chaos.leader import leader_port, owner
from tests.chaos.plan import Fault, Kind
from tests.chaos.pooler import Pooler
from tests.chaos.proxy import Proxy
from tests.chaos.servers import USER, Pair, Stop
from tests.chaos.supervisor import Supervised, Supervisor
from tests.chaos.waiting import until

DELAY_SECONDS = 0.15
# A worker's grace time, and its last words to a database that may be away.
STOP_SECONDS = 60.0
# What the sessions of workers are called.
SESSIONS = (
    "jobqueue %",
    "jobqueue worker",
    "jobqueue worker acks",
    "jobqueue worker listens",
    "jobqueue leader",
    "jobqueue jobs",
)
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
END_WAITING = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
BETWEEN_TRIES_SECONDS = 0.02
# Less than a worker needs to enter the books.
BETWEEN_ENDS_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class Scene:
    """All that faults can be done to. pooler: None where PgBouncer is not installed."""

    pair: Pair
    proxy: Proxy
    pooler: Pooler | None
    workers: Supervisor
    producers: Supervisor


Touched = Collection[int] | None
Act = Callable[[Fault], Awaitable[Touched]]


class Adversary:
    """Does each fault at its time, some side by side; those of the servers wait for each other."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.happened: list[Happened] = []
        self._servers_turn = asyncio.Lock()
        self._acts: dict[Kind, Act] = {
            Kind.KILL: self._kill,
            Kind.KILL_LEADER: self._kill_leader,
            Kind.FREEZE: self._freeze,
            Kind.FREEZE_LEADER: self._freeze_leader,
            Kind.TERMINATE: self._terminate,
            Kind.KILL_PRODUCER: self._kill_producer,
            Kind.END_SESSIONS: self._end_sessions,
            Kind.END_SESSIONS_AGAIN: self._end_sessions_again,
            Kind.RESTART_FAST: self._restart_fast,
            Kind.RESTART_IMMEDIATE: self._restart_immediate,
            Kind.FAIL_OVER: self._fail_over,
            Kind.STALL_REPLICA: self._stall_replica,
            Kind.LOSE_ANSWERS: self._lose_answers,
            Kind.FILL_CONNECTIONS: self._fill_connections,
            Kind.PROXY_CUT: self._proxy_cut,
            Kind.PROXY_HALF_OPEN: self._proxy_half_open,
            Kind.PROXY_DELAY: self._proxy_delay,
            Kind.POOLER_KILL: self._pooler_kill,
        }

    async def carry_out(self, plan: Sequence[Fault]) -> None:
        """Do everything in `plan`, and return when the last of it is over."""
        began = monotonic()
        async with asyncio.TaskGroup() as tasks:
            for fault in plan:
                await asyncio.sleep(max(0.0, began + fault.at - monotonic()))
                tasks.create_task(self._do(fault))

    async def _do(self, fault: Fault) -> None:
        began = notes.now()
        pids = await self._acts[fault.kind](fault)
        self.happened.append(Happened(fault.kind, began, notes.now(), pids, fault.seconds))

    async def hold_a_snapshot(self) -> None:
        """Keep a transaction open for as long as the servers let it, and then another."""
        while True:
            with suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(
                    self._scene.pair.url(), connect_timeout=5
                ) as connection:
                    await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                    while True:
                        await connection.execute("SELECT count(*) FROM orders")
                        await asyncio.sleep(1)
            await asyncio.sleep(0.2)

    # Processes ------------------------------------------------------------------------------

    async def _kill(self, fault: Fault) -> Touched:
        return self._killed(self._worker(fault))

    async def _kill_leader(self, fault: Fault) -> Touched:
        return self._killed(await self._leader(fault))

    def _killed(self, worker: Supervised) -> Touched:
        worker.signal(signal.SIGKILL, KILLED)
        return [worker.pid]

    async def _freeze(self, fault: Fault) -> Touched:
        return await self._frozen(self._worker(fault), fault.seconds)

    async def _freeze_leader(self, fault: Fault) -> Touched:
        return await self._frozen(await self._leader(fault), fault.seconds)

    async def _frozen(self, worker: Supervised, seconds: float) -> Touched:
        child = worker.child
        child.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.signal(signal.SIGCONT)
        return [child.pid]

    async def _terminate(self, fault: Fault) -> Touched:
        worker = self._worker(fault)
        pid = worker.pid
        worker.signal(signal.SIGTERM, STOPPED)
        await until(
            lambda: worker.pid != pid or worker.child.exit_code is not None,
            what=f"{worker.program.name} stops",
            seconds=STOP_SECONDS,
        )
        return [pid]

    async def _kill_producer(self, fault: Fault) -> Touched:
        producers = self._scene.producers.running
        producers[fault.pick % len(producers)].signal(signal.SIGKILL, KILLED)
        return []

    def _worker(self, fault: Fault) -> Supervised:
        running = self._scene.workers.running
        return running[fault.pick % len(running)]

    async def _leader(self, fault: Fault) -> Supervised:
        """Find the leader; any worker, where there is none at the moment."""
        workers = {worker.pid: worker for worker in self._scene.workers.running}
        with suppress(psycopg.Error):
            port = await leader_port(self._scene.pair.primary)
            if port is not None:
                pid = owner(self._scene.proxy.client_port(port) or port, workers)
                if pid is not None:
                    return workers[pid]
        return self._worker(fault)

    # The database ---------------------------------------------------------------------------

    async def _end_sessions(self, fault: Fault) -> Touched:
        name = SESSIONS[fault.pick % len(SESSIONS)]
        with suppress(psycopg.Error):
            await self._scene.pair.primary.rows(f"{END_SESSIONS} '{name}'")
        return None

    async def _end_sessions_again(self, fault: Fault) -> Touched:
        """Kill a worker too, so that one tries to start meanwhile."""
        self._killed(self._worker(fault))
        with suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(
                self._scene.pair.primary.conninfo(), autocommit=True
            ) as connection:
                deadline = monotonic() + fault.seconds
                while monotonic() < deadline:
                    await connection.execute(f"{END_SESSIONS} '{SESSIONS[0]}'".encode())
                    await asyncio.sleep(BETWEEN_ENDS_SECONDS)
        return None

    async def _restart_fast(self, fault: Fault) -> Touched:
        async with self._servers_turn:
            await self._scene.pair.restart(Stop.FAST, fault.seconds)

    async def _restart_immediate(self, fault: Fault) -> Touched:
        async with self._servers_turn:
            await self._scene.pair.restart(Stop.IMMEDIATE, fault.seconds)

    async def _fail_over(self, fault: Fault) -> Touched:
        scene = self._scene
        async with self._servers_turn:
            await scene.pair.fail_over(fault.seconds)
            if scene.pooler is not None:
                scene.pooler.follow(scene.pair.primary.port)
            await scene.pair.attach()

    async def _stall_replica(self, fault: Fault) -> Touched:
        async with self._servers_turn:
            await self._scene.pair.stall(fault.seconds)

    async def _lose_answers(self, fault: Fault) -> Touched:
        """End sessions that have committed and not yet said so: nobody hears that they have."""
        async with self._servers_turn:
            stalled = asyncio.create_task(self._scene.pair.stall(fault.seconds))
            await asyncio.sleep(fault.seconds * 0.8)
            with suppress(psycopg.Error):
                await self._scene.pair.primary.rows(END_WAITING)
            await stalled
        return None

    async def _fill_connections(self, fault: Fault) -> Touched:
        """Take what connections there are, then end the workers' and take those too."""
        primary = self._scene.pair.primary
        async with AsyncExitStack() as stack:
            deadline = monotonic() + fault.seconds
            ended = False
            while monotonic() < deadline:
                try:
                    await stack.enter_async_context(
                        await psycopg.AsyncConnection.connect(primary.conninfo(USER))
                    )
                except psycopg.OperationalError:
                    if not ended:
                        with suppress(psycopg.Error):
                            await primary.rows(f"{END_SESSIONS} '{SESSIONS[0]}'")
                        ended = True
                    await asyncio.sleep(BETWEEN_TRIES_SECONDS)
        return None

    # The network ----------------------------------------------------------------------------

    async def _proxy_cut(self, fault: Fault) -> Touched:
        self._scene.proxy.cut()
        return self._proxied()

    async def _proxy_half_open(self, fault: Fault) -> Touched:
        touched = self._proxied()
        await self._scene.proxy.half_open(fault.seconds, answers_only=fault.pick % 2 == 1)
        return {*touched, *self._proxied()}

    async def _proxy_delay(self, fault: Fault) -> Touched:
        touched = self._proxied()
        await self._scene.proxy.dawdle(fault.seconds, DELAY_SECONDS)
        return {*touched, *self._proxied()}

    async def _pooler_kill(self, fault: Fault) -> Touched:
        if self._scene.pooler is not None:
            self._scene.pooler.restart()
        return []

    def _proxied(self) -> list[int]:
        return [one.pid for one in self._scene.workers.running if one.program.proxied]
