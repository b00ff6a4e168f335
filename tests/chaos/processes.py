"""Processes of ours: each has a log, and none outlives the one that started it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.waiting import until

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: `tests.chaos` is imported from here."""

# PostgreSQL and PgBouncer refuse to run as root; the embedded server's package makes this user.
SERVER_USER = "pgserver"


def give_to_server_user(path: Path) -> None:
    """Let the user that servers run as write to `path`."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SERVER_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _prepared(command: Sequence[str], *, as_server: bool, last_signal: str) -> list[str]:
    """Give `command` as what runs it as the right user, and ends it when we are gone."""
    options: list[str] = []
    if as_server and os.geteuid() == 0:
        options += [f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups"]
    if shutil.which("setpriv") is not None:
        options += ["--pdeathsig", last_signal]
    return ["setpriv", *options, "--", *command] if options else list(command)


class Child:
    """A process that was started, and will be ended.

    as_server: run it as the user that servers run as.
    last_signal: what it gets from the kernel when we were killed and could clean up nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        as_server: bool = False,
        last_signal: str = "KILL",
    ) -> None:
        self.log = log
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("JOBQUEUE_")
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                _prepared(command, as_server=as_server, last_signal=last_signal),
                cwd=ROOT,
                env={**inherited, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.exit_code is None:
            self.process.send_signal(number)

    async def ended(self, seconds: float) -> int:
        """Wait for its end. Raises TimeoutError."""
        what = f"process {self.pid} ends; see {self.log}"
        await until(lambda: self.exit_code is not None, what=what, seconds=seconds)
        return self.process.wait()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self.exit_code is None:
            self.process.kill()
            self.process.wait()


async def run_as_server(command: Sequence[str], log: Path, seconds: float = 60.0) -> None:
    """Run a command of a server to its end. Raises RuntimeError if it fails."""
    child = Child(command, log, as_server=True)
    try:
        code = await child.ended(seconds)
    finally:
        child.kill()
    if code:
        raise RuntimeError(f"{command!r}: exit code {code}; see {log}")
