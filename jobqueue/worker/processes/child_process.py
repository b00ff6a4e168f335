"""One child process, as its worker sees it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol, cast

import orjson

from jobqueue.observe.logs.events import job_fields
from jobqueue.worker.processes.calls import Call
from jobqueue.worker.processes.messages import (
    EXIT_LOST,
    TOKEN,
    Limits,
    Outcome,
    Setup,
    Splitter,
    claimed_parts,
    line,
    outcome,
)
from jobqueue.worker.processes.output_reader import OutputReader, Whose

log = logging.getLogger("jobqueue.worker")

PROGRAM = "jobqueue.worker.processes.child"
# How long a child may take to end when it is told to, after its last job.
LEAVE_SECONDS = 5.0
# How long after a child's end its last messages may be on their way.
LAST_SECONDS = 1.0
CHUNK_BYTES = 65_536
# Jobs in one child at most, the running one included.
MOST_PENDING = 64
# A job waits in a child's hand only behind jobs that are done in so long, as they are known.
AHEAD_SECONDS = 0.005

_ways: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _let_go() -> None:
    """Close in a process that the worker forks what would keep its children alive."""
    for way in _ways:
        way.close()


os.register_at_fork(after_in_child=_let_go)


class Owner(Protocol):
    """What a child process tells its pool."""

    def is_ready(self, child: ChildProcess) -> None:
        """Hear that the application is loaded."""

    def has_ended(self, call: Call, how: Outcome) -> None:
        """Hear that a job has ended."""

    def gives_back(self, unbegun: Sequence[Call]) -> None:
        """Take back jobs that were not begun, to be run elsewhere."""

    def is_gone(
        self, child: ChildProcess, begun: Sequence[Call], unbegun: Sequence[Call], how: str
    ) -> None:
        """Hear that it has ended: what ran in it, what was not begun, and how in words."""


class ChildProcess(asyncio.Protocol):
    """A Python that runs jobs, one after another.

    pending: the jobs it has, the first of which runs or is about to.
    head_since: when that one came to be the first, by the event loop's clock.
    problem: what it said of itself before it ended, if it could not load the application.
    gone: set when the process has ended and that was told to its owner.
    """

    def __init__(self, owner: Owner, setup: Setup, limits: Limits) -> None:
        self.pending: deque[Call] = deque()
        self.ready = False
        self.problem: dict[str, str] | None = None
        self.head_since = 0.0
        self._owner = owner
        self._setup = setup
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._splitter = Splitter()
        self._added: list[Call] = []
        self._ahead_seconds = 0.0
        self._numbered = 0
        self._taken = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._leaving = False
        self._exit_code: int | None = None
        self._hung_up = False
        self._killed_because = ""
        self._timers: list[asyncio.TimerHandle] = []
        self._stops: dict[Call, asyncio.TimerHandle] = {}
        self.gone = asyncio.Event()

    async def start(self) -> None:
        """Start the process. Raises OSError if that is not possible."""
        data, far_data = _way()
        self._data = data
        self._tokens, self._far_tokens = _way()
        self._control, far_control = _way()
        reading, writing = os.pipe()
        far = [far_data.fileno(), self._far_tokens.fileno(), far_control.fileno()]
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - takes a millisecond; our own program
                [sys.executable, "-m", PROGRAM, *map(str, far)],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=far,
                # A signal to the worker's group is none to its children, which the worker directs;
                # and what a job starts can be killed together with it.
                start_new_session=True,
            )
        except OSError:
            for way in (data, self._tokens, self._far_tokens, self._control):
                way.close()
            os.close(reading)
            raise
        finally:
            far_data.close()
            far_control.close()
            os.close(writing)
        self.output = OutputReader(reading, self._whose, self._progressed)
        for way in (data, self._tokens, self._control):
            way.setblocking(False)  # noqa: FBT003 - its only parameter
        await self._loop.create_unix_connection(lambda: self, sock=data)
        threading.Thread(target=self._wait, name="jobqueue child", daemon=True).start()
        self._after(self._limits.start_seconds, self._too_slow)

    @property
    def pid(self) -> int:
        """The process's number."""
        return 0 if self._process is None else self._process.pid

    @property
    def used_up(self) -> bool:
        """Whether it takes no further job, though it may still run some."""
        most = self._limits.max_jobs
        return self._leaving or (most is not None and self._taken >= most)

    @property
    def has_room(self) -> bool:
        """Whether a job sent now would begin at once, or nearly so."""
        if not self.ready or self.used_up:
            return False
        return not self.pending or (
            self._ahead_seconds <= AHEAD_SECONDS and len(self.pending) < MOST_PENDING
        )

    def add(self, call: Call, expected_seconds: float) -> None:
        """Give it a job; `flush` sends it."""
        self._numbered += 1
        self._taken += 1
        call.child, call.number, call.expected_seconds = self, self._numbered, expected_seconds
        self._ahead_seconds += expected_seconds
        self.pending.append(call)
        self._added.append(call)
        if len(self.pending) == 1:
            self._next_begins()

    def flush(self) -> None:
        """Send the jobs that were added, and after them the permission to begin each."""
        added, self._added = self._added, []
        self._write(
            b"".join(
                line(call.number, call.wants_result, call.begins_until, *claimed_parts(call.job))
                for call in added
            )
        )
        with suppress(OSError):  # it has died; its end is told in a moment
            self._tokens.send(b"".join(TOKEN.pack(call.number) for call in added))

    def recall(self) -> list[Call]:
        """Take back the jobs that it has not begun, in their order."""
        try:
            tokens = self._far_tokens.recv(TOKEN.size * MOST_PENDING, socket.MSG_DONTWAIT)
        except OSError:
            return []
        numbers = {number for (number,) in TOKEN.iter_unpack(tokens)}
        unbegun = [call for call in self.pending if call.number in numbers]
        self.pending = deque(call for call in self.pending if call.number not in numbers)
        self._ahead_seconds = sum(call.expected_seconds for call in self.pending)
        self._taken -= len(unbegun)
        for call in unbegun:
            call.child = None
        return unbegun

    def interrupt(self, call: Call) -> None:
        """Ask the job that runs to stop; kill the process if it does not in time.

        Either way it gets no further job: what was stopped in the middle may be half done.
        """
        self._leaving = True
        self._order("interrupt", call)
        if call not in self._stops:
            seconds = self._limits.interrupt_seconds
            self._stops[call] = self._loop.call_later(seconds, self.kill, "did not stop its job")

    def cancelled(self, call: Call) -> None:
        """Tell the job that somebody cancelled it."""
        self._order("cancelled", call)

    def leave(self) -> None:
        """Let it end when it has run what it has; it gets nothing more."""
        self._leaving = True
        if not self.ready:
            self.kill("was not needed any more")
        elif not self.pending:
            with suppress(OSError):
                self._tokens.shutdown(socket.SHUT_WR)
            self._after(LEAVE_SECONDS, partial(self.kill, "did not end when it was told to"))

    def kill(self, because: str) -> None:
        """End it now, and what its jobs have started."""
        if self._process is not None and self._exit_code is None:
            self._killed_because = self._killed_because or because
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell it what it is to be."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._write(orjson.dumps(asdict(self._setup)) + b"\n")

    def data_received(self, data: bytes) -> None:
        """Hear how jobs ended."""
        # What they wrote before is in the pipe already, and belongs before.
        self.output.catch_up()
        for one in self._splitter.feed(data):
            try:
                what, *parts = orjson.loads(one)
            except (ValueError, TypeError):
                self.kill("said what no child says: its code wrote where it should not")
                if self._transport is not None:
                    self._transport.abort()  # nothing that follows is to be trusted
                return
            self._hear(what, *parts)

    def connection_lost(self, exc: Exception | None) -> None:
        """See to it that a process that has hung up ends."""
        if exc is not None:
            self._hear_the_rest()
        self._hung_up = True
        if self._exit_code is None:
            self._after(LAST_SECONDS, partial(self.kill, "closed its connection"))
        else:
            self._finish()

    def _hear_the_rest(self) -> None:
        """Read what a dead child has said, when it was found dead by being written to."""
        with suppress(OSError):
            while chunk := self._data.recv(CHUNK_BYTES, socket.MSG_DONTWAIT):
                self.data_received(chunk)

    def _hear(self, what: str, *parts: Any) -> None:  # noqa: ANN401
        if what == "ready":
            self._forget_timers()  # of its start
            self.ready = True
            self._owner.is_ready(self)
        elif what == "broken":
            [self.problem] = parts
        else:
            self._ended(*parts)

    def _ended(self, number: int, fields: dict[str, Any], why_leave: str | None) -> None:
        if not self.pending or self.pending[0].number != number:
            return  # of one that is given up
        how = outcome(fields)  # raises for what no child says; then the job ends with the child
        call = self.pending.popleft()
        call.child = None
        self._ahead_seconds = self._ahead_seconds - call.expected_seconds if self.pending else 0.0
        if call in self._stops:
            self._stops.pop(call).cancel()
        self.output.tail.clear()
        if why_leave is not None:
            log.info("process %d: is replaced: %s", self.pid, why_leave)
            self._leaving = True
            self._owner.gives_back(self.recall())
        if self.used_up:
            self.leave()
        self._next_begins()
        self._owner.has_ended(call, how)

    def _next_begins(self) -> None:
        if self.pending:
            self.head_since = self._loop.time()
            begin = self.pending[0].on_begin
            if begin is not None:
                begin()

    def _write(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)

    def _order(self, what: str, call: Call) -> None:
        with suppress(OSError):
            self._control.send(line(what, call.number))

    def _whose(self) -> Whose:
        if not self.pending:
            return Whose(f"process {self.pid}", {})
        job = self.pending[0].job
        return Whose(f"job {job.task} {job.id}", job_fields(job))

    def _progressed(self, number: int, fraction: float, text: str) -> None:
        for call in self.pending:
            if call.number == number:
                call.progress(fraction, text)

    def _too_slow(self) -> None:
        seconds = self._limits.start_seconds
        self.kill(f"was not ready after {seconds:g} s")

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, then))

    def _forget_timers(self) -> None:
        for timer in (*self._timers, *self._stops.values()):
            timer.cancel()
        self._timers.clear()
        self._stops.clear()

    def _wait(self) -> None:
        """Wait for the process's end, in a thread: a descriptor may be held by what it forked."""
        assert self._process is not None  # noqa: S101 - it was just started
        code = self._process.wait()
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._exited, code)

    def _exited(self, code: int) -> None:
        self._exit_code = code
        self._forget_timers()
        if self._hung_up:
            self._finish()
        else:
            self._after(LAST_SECONDS, self._finish)

    def _finish(self) -> None:
        if self.gone.is_set():
            return
        self.gone.set()
        self._forget_timers()
        self.output.catch_up()
        unbegun = self.recall()
        begun, self.pending = list(self.pending), deque()
        if self._transport is not None:
            self._transport.abort()
        for way in (self._tokens, self._far_tokens, self._control):
            way.close()
        how = how_it_ended(self._exit_code or 0)
        if self._killed_because and self._exit_code == -signal.SIGKILL:
            how = f"was killed by the worker: it {self._killed_because}"
        if self.ready and not self._leaving:
            log.warning("process %d: %s", self.pid, how)
        self._leaving = True
        self._owner.is_gone(self, begun, unbegun, how)


def _way() -> tuple[socket.socket, socket.socket]:
    """Make the two ends of a way; the first is the worker's."""
    near, far = socket.socketpair()
    _ways.add(near)
    _ways.add(far)
    return near, far


def how_it_ended(code: int) -> str:
    """Say how a process ended, by its exit code as subprocess gives it."""
    if code == EXIT_LOST:
        return (
            "lost its connection to the worker: its code closed a descriptor that it had not made"
        )
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", which the kernel sends when memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
