"""PgBouncer, in transaction mode, as many applications have before their database."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from tests.chaos.processes import Child, give_to_server_user
from tests.chaos.servers import DATABASE, USER, free_port

PROGRAM = "pgbouncer"

CONFIGURATION = """
[databases]
{database} = {server} port={behind}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 200
server_login_retry = 1
server_check_delay = 1
query_wait_timeout = 10
"""


def program() -> str | None:
    """Give the path of PgBouncer; None where it is not installed."""
    return shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")


class Pooler:
    """PgBouncer before whichever server is the primary.

    server: how to reach it, as PgBouncer reads it; but for the port, which may change.
    sessions: with the server, at most.
    """

    def __init__(
        self,
        folder: Path,
        path: str,
        *,
        server: str = f"host=127.0.0.1 user={USER}",
        mode: str = "transaction",
        sessions: int = 10,
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self._program = path
        self._settings = {"server": server, "mode": mode, "sessions": sessions}
        self._behind = 0
        self._child: Child | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self, behind: int) -> None:
        """Start before the server on port `behind`."""
        self.folder.mkdir(exist_ok=True)
        give_to_server_user(self.folder)
        self._configure(behind)
        command = [self._program, "--quiet", str(self._ini)]
        self._child = Child(command, self.log, as_server=True)

    def follow(self, behind: int) -> None:
        """Send everybody to another server from now on, as what watches over a failover does."""
        self._configure(behind)
        if self._child is not None:
            self._child.signal(signal.SIGHUP)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.end()
        self.start(self._behind)

    def end(self) -> None:
        if self._child is not None:
            self._child.kill()

    @property
    def _ini(self) -> Path:
        return self.folder / "pgbouncer.ini"

    def _configure(self, behind: int) -> None:
        self._behind = behind
        self._ini.write_text(
            CONFIGURATION.format(database=DATABASE, behind=behind, port=self.port, **self._settings)
        )
