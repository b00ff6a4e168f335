"""A small supervisor: starts processes, notes how they end, and starts them again."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import notes
from tests.chaos.happened import THE_END, Exit
from tests.chaos.processes import Child

LOOK_SECONDS = 0.05
PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be kept running.

    proxied: whether it reaches the database through the proxy.
    """

    name: str
    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    proxied: bool = False


class Supervised:
    """One program and the process that it runs as now."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.done_to_it: set[str] = set()
        self.child = self._start()

    @property
    def pid(self) -> int:
        return self.child.pid

    def signal(self, number: signal.Signals, what: str) -> None:
        """Send a signal that may end the process. what: the word for it."""
        if self.child.exit_code is None:
            self.done_to_it.add(what)
            self.child.signal(number)

    def start_again(self) -> None:
        self.done_to_it.clear()
        self.child = self._start()

    def _start(self) -> Child:
        command = [sys.executable, "-m", self.program.module, *self.program.arguments]
        return Child(command, self.log, environment=self.program.environment)


class Supervisor:
    """Keeps programs running until it is told that they may end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: list[Supervised] = []
        self.exits: list[Exit] = []
        self._again = True

    def start(self, program: Program) -> None:
        self.running.append(Supervised(program, self._folder / f"{program.name}.log"))

    async def watch(self) -> None:
        """Start again what ends, for as long as this is not cancelled."""
        while True:
            for one in self.running:
                if self._look(one) and self._again:
                    await asyncio.sleep(PAUSE_SECONDS)
                    one.start_again()
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Ask all to stop and wait for them. Raises TimeoutError."""
        self._again = False
        for one in self.running:
            one.signal(signal.SIGTERM, THE_END)
        for one in self.running:
            await one.child.ended(seconds)
            self._look(one)

    def end(self) -> None:
        """End all, whatever they are doing."""
        self._again = False
        for one in self.running:
            one.child.kill()

    def _look(self, one: Supervised) -> bool:
        """Note the end of a process once. Whether it has ended."""
        code = one.child.exit_code
        if code is None:
            return False
        if not any(end.pid == one.pid for end in self.exits):
            done = frozenset(one.done_to_it)
            self.exits.append(Exit(one.program.name, one.pid, code, notes.now(), done))
        return True
