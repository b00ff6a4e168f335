"""One battle: all is started, the plan is carried out, the dust settles, the evidence is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from jobqueue.store import migrations
from tests.chaos import notes
from tests.chaos import pooler as poolers
from tests.chaos.adversary import Adversary, Scene
from tests.chaos.application import SNOOZED, TABLES
from tests.chaos.evidence import Evidence, read_acknowledged, read_books, read_runs
from tests.chaos.plan import LEASE_SECONDS, Fault
from tests.chaos.pooler import Pooler
from tests.chaos.programs import GRACE_SECONDS, acknowledgements, producers, workers
from tests.chaos.proxy import Proxy
from tests.chaos.servers import Pair
from tests.chaos.supervisor import Supervisor
from tests.chaos.waiting import until
from tests.chaos.watcher import Watcher

DRAIN_SECONDS = 90.0
SETTLE_SECONDS = 15.0
STARTED_SECONDS = 60.0
STOP_SECONDS = 40.0
LOOK_SECONDS = 0.25
PULSE_SECONDS = 0.1
STALL_SECONDS = 0.75

WORKERS_IN_THE_BOOKS = "SELECT pid FROM jobqueue.workers"
NO_MORE_TICKS = "UPDATE jobqueue.schedules SET state = 'paused'"
UNFINISHED = "SELECT count(*) FROM jobqueue.jobs"


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to be fought. seconds: how long producers go on at least; version: of PostgreSQL."""

    seed: int
    plan: Sequence[Fault]
    seconds: float
    version: int
    workers: int = 5


class Battle:
    """Everything that runs, in one folder; used as a context manager it ends with the block."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._pair = Pair(folder, settings.version)
        self._proxy = Proxy(self._pair.ports)
        program = poolers.program()
        self._pooler = Pooler(folder / "pgbouncer", program) if program else None
        self._workers = Supervisor(folder)
        self._producers = Supervisor(folder)
        scene = Scene(self._pair, self._proxy, self._pooler, self._workers, self._producers)
        self._adversary = Adversary(scene)
        self._watcher = Watcher(self._pair)
        self._stalls: list[tuple[float, float]] = []

    async def fight(self) -> Evidence:
        """Do it all, and give what the checker needs."""
        try:
            await self._prepare()
            await self._rage()
            await self._drain()
            return await self._evidence()
        finally:
            self._end()

    async def _prepare(self) -> None:
        (self._folder / SNOOZED).mkdir()
        await self._pair.start()
        await asyncio.to_thread(migrations.upgrade, self._pair.url())
        async with await psycopg.AsyncConnection.connect(self._pair.url()) as connection:
            await connection.execute(TABLES.encode())
        await self._proxy.start()
        if self._pooler is not None:
            self._pooler.start(self._pair.primary.port)
        direct, proxied = self._pair.url(), self._pair.url(self._proxy.ports)
        pooled = self._pooler.url if self._pooler else None
        for program in workers(self._settings.workers, self._folder, direct, proxied, pooled):
            self._workers.start(program)
        await until(self._books_agree, what="all workers have started", seconds=STARTED_SECONDS)
        for program in producers(self._settings.seed, self._folder, direct, proxied, pooled):
            self._producers.start(program)

    async def _rage(self) -> None:
        """Carry out the plan while producers produce, then let them finish."""
        beside = [
            self._workers.watch(),
            self._producers.watch(),
            self._adversary.hold_a_snapshot(),
            self._watcher.run(),
            self._feel_the_pulse(),
        ]
        async with running(beside):
            await asyncio.gather(
                self._adversary.carry_out(self._settings.plan),
                asyncio.sleep(self._settings.seconds),
            )
            await self._producers.stop(STOP_SECONDS)

    async def _drain(self) -> None:
        """Wait until every job has ended, and the books know who lives; not for ever."""
        await self._pair.primary.rows(NO_MORE_TICKS)
        async with running([self._workers.watch(), self._watcher.run()]):
            # What is not done in time, the rules find.
            with suppress(TimeoutError):
                await until(self._all_ended, what="all jobs have ended", seconds=DRAIN_SECONDS)
            with suppress(TimeoutError):
                seconds = LEASE_SECONDS + SETTLE_SECONDS
                await until(self._books_agree, what="the books agree", seconds=seconds)

    async def _evidence(self) -> Evidence:
        """Read the books while the workers live, and stop them."""
        in_the_books, alive = await self._in_the_books(), self._alive()
        books = await asyncio.to_thread(read_books, self._pair.primary.conninfo())
        await self._workers.stop(STOP_SECONDS)
        return Evidence(
            jobs=books.jobs,
            orders=books.orders,
            effects=books.effects,
            ticks=books.ticks,
            acknowledged=read_acknowledged(acknowledgements(self._folder)),
            runs=read_runs(self._folder),
            happened=self._adversary.happened,
            exits=[*self._workers.exits, *self._producers.exits],
            stalls=self._stalls,
            shared_keys=self._watcher.shared_keys,
            stuck=self._watcher.stuck,
            in_the_books=in_the_books,
            alive=alive,
            lease_seconds=LEASE_SECONDS,
            grace_seconds=GRACE_SECONDS,
        )

    async def _feel_the_pulse(self) -> None:
        """Note when a busy machine does not run us: it may keep a worker from its heartbeat too."""
        while True:
            began = notes.now()
            await asyncio.sleep(PULSE_SECONDS)
            if notes.now() - began > STALL_SECONDS:
                self._stalls.append((began, notes.now()))

    async def _all_ended(self) -> bool:
        return await self._pair.primary.rows(UNFINISHED) == [(0,)]

    async def _books_agree(self) -> bool:
        return await self._in_the_books() == self._alive()

    async def _in_the_books(self) -> set[int]:
        return {pid for (pid,) in await self._pair.primary.rows(WORKERS_IN_THE_BOOKS)}

    def _alive(self) -> set[int]:
        return {one.pid for one in self._workers.running if one.child.exit_code is None}

    def _end(self) -> None:
        """End every process, whatever became of the battle."""
        with ExitStack() as stack:
            stack.callback(self._pair.end)
            stack.callback(self._proxy.end)
            if self._pooler is not None:
                stack.callback(self._pooler.end)
            stack.callback(self._producers.end)
            stack.callback(self._workers.end)


@asynccontextmanager
async def running(beside: Sequence[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run coroutines beside the block; one that fails ends it with its error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in beside]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
