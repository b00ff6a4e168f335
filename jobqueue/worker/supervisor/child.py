"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from time import monotonic

from jobqueue.worker.supervisor.tie import CHANGED_GRACE_SECONDS, VARIABLE, Tie, Word

log = logging.getLogger("jobqueue.supervisor")

# What a worker needs after the grace time to hand back its jobs, with a slow database.
FAREWELL_SECONDS = 30.0


class Child:
    """A worker process that was started now.

    started: set when it has entered the books and works.
    inherited: set when it has taken back what a dead neighbour held.
    ended: set when it is gone, and reaped.
    stopping: it was asked to stop.
    replaced: it was asked to make room for another.

    Raises OSError if no process can be started.
    """

    def __init__(self, number: int, command: Sequence[str]) -> None:
        self.number = number
        self.started = asyncio.Event()
        self.inherited = asyncio.Event()
        self.ended = asyncio.Event()
        self.stopping = False
        self.replaced = False
        self._began = monotonic()
        self._timers: list[asyncio.TimerHandle] = []
        ours, theirs = socket.socketpair()
        with theirs, _terminal_signals_held_back():
            self._process = subprocess.Popen(  # noqa: S603 - the command we were started with ourselves
                command,
                env={**os.environ, VARIABLE: f"{number}:{theirs.fileno()}"},
                pass_fds=[theirs.fileno()],
            )
        self._tie = Tie(ours, self._heard, lambda: None)

    def __str__(self) -> str:
        """Name it for the log."""
        return f"worker {self.number} (pid {self.pid})"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def works(self) -> bool:
        """Whether it has started, and not ended."""
        return self.started.is_set() and not self.ended.is_set()

    @property
    def lived_seconds(self) -> float:
        """How long ago it was started."""
        return monotonic() - self._began

    @property
    def exit_code(self) -> int | None:
        """As subprocess has it: negative for a signal, None while it runs."""
        return self._process.returncode

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it."""
        return self.exit_code is not None and self.exit_code < 0

    @property
    def last_code(self) -> int:
        """Its exit code; 0 if it was asked to stop before it had begun anything."""
        early = self.stopping and not self.started.is_set() and self.exit_code == -signal.SIGTERM
        return 0 if early or self.exit_code is None else self.exit_code

    def look(self) -> None:
        """Notice its end, if it has ended."""
        if not self.ended.is_set() and self._process.poll() is not None:
            for timer in self._timers:
                timer.cancel()
            self._tie.close()
            self.ended.set()

    def stop(self, grace_seconds: float) -> None:
        """Have it drain. It is killed if it is still there well after the grace time."""
        self.stopping = True
        self._process.send_signal(signal.SIGTERM)
        self._kill_after(grace_seconds + FAREWELL_SECONDS)

    def hurry(self) -> None:
        """Have it stop without waiting for its jobs."""
        self._tie.say(Word.HURRY)
        self._kill_after(FAREWELL_SECONDS)

    def replace(self, grace_seconds: float) -> None:
        """Have it drain and make room for another."""
        self.replaced = True
        self.stop(grace_seconds)

    def replace_changed(self) -> None:
        """Have it make room for one with the new code, and leave little time to its jobs."""
        self._tie.say(Word.CHANGED)
        self.replace(CHANGED_GRACE_SECONDS)
        self._timers.append(
            asyncio.get_running_loop().call_later(CHANGED_GRACE_SECONDS, self.hurry)
        )

    def inherit(self) -> None:
        """Have it take back what workers held that died here."""
        self.inherited.clear()
        self._tie.say(Word.INHERIT)

    def how_it_ended(self) -> str:
        """Say what became of it."""
        code = self.exit_code
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def _kill_after(self, seconds: float) -> None:
        if not self.ended.is_set():
            self._timers.append(asyncio.get_running_loop().call_later(seconds, self._kill))

    def _kill(self) -> None:
        log.error("%s: does not stop; killing it", self)
        self._process.kill()

    def _heard(self, word: str) -> None:
        match word:
            case Word.STARTED:
                self.started.set()
            case Word.INHERITED:
                self.inherited.set()
            case _:
                pass


@contextmanager
def _terminal_signals_held_back() -> Generator[None]:
    """Start a process that hears SIGINT and SIGHUP only when it is ready to pass over them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
