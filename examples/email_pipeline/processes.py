"""The processes of the demo: started with a log, watched, and ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_SECONDS = 10.0


class DemoError(Exception):
    """Why the demo cannot go on."""


class Child:
    """A Python module run as a process of its own.

    log: what it prints is appended to this file.
    """

    def __init__(self, name: str, *command: str, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._end_expected = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                # Ctrl-C in a terminal is for the demo, which then ends its children itself.
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """How it ended; minus the signal's number if one ended it, None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise DemoError if it failed on its own."""
        if self.exit_code and not self._end_expected:
            raise DemoError(f"{self.name}: ended with exit code {self.exit_code}; see {self.log}")

    def kill(self) -> None:
        """End it as a crash or the kernel would, with SIGKILL."""
        self._end_expected = True
        # Its session is its own, so this also reaches whatever it may have started.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, with SIGTERM, and give its exit code. Raises DemoError if it stays."""
        self._end_expected = True
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise DemoError(
                f"{self.name}: still runs {STOP_SECONDS:g} s after SIGTERM; see {self.log}"
            ) from None

    def end(self) -> None:
        """End it, if it still runs: in good order, or by force."""
        if self.exit_code is not None:
            return
        try:
            self.stop()
        except DemoError:
            self.kill()


class Children:
    """Starts processes that share a folder and an environment; ends them when its block is left."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._started: list[Child] = []

    def start(self, name: str, *command: str, **environment: str) -> Child:
        """Run a module with its arguments. environment: variables for this process only."""
        child = Child(
            name,
            *command,
            log=self._folder / f"{name}.log",
            environment=self._environment | environment,
        )
        self._started.append(child)
        return child

    def check(self) -> None:
        """Raise DemoError if one of them failed on its own."""
        for child in self._started:
            child.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._started):
            child.end()
