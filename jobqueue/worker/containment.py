"""What the worker takes back when a job has changed its process: descriptors, signals, a fork.

A job in a child process harms only that. On the event loop and in threads user code shares the
worker's process, where most of what it breaks is its own affair, and this is not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

log = logging.getLogger("jobqueue.worker")

STANDARD = (0, 1, 2)


def hold_standard_descriptors() -> None:
    """Fill what a job has closed of stdin, stdout and stderr, before anything opens a socket.

    The socket would get that number, and what is printed next would be sent to the database.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            log.warning("a job has closed descriptor %d; it leads nowhere now", number)


class Signals:
    """Handlers of signals on an event loop, put back when a job has replaced them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heeded: dict[int, tuple[Callable[[], None], Any]] = {}

    def heed(self, number: int, handler: Callable[[], None]) -> None:
        """Call `handler` on the loop when the signal comes."""
        self._loop.add_signal_handler(number, handler)
        self._heeded[number] = (handler, signal.getsignal(number))

    def restore(self) -> None:
        """Put back what is not as it was. Called on the event loop."""
        for number, (handler, installed) in list(self._heeded.items()):
            if signal.getsignal(number) != installed:
                name = signal.Signals(number).name
                log.warning("a job has replaced the worker's handler of %s; it is put back", name)
                self._loop.remove_signal_handler(number)
                self.heed(number, handler)
        if self._heeded:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._heeded)


class Forked:
    """Sees to it that a process which a job forks does not go on as a second worker.

    A child that comes back from the task's function ends there. One that comes back to the event
    loop before finds no connection of the worker's and nothing to wait for, and ends as well.
    """

    def __init__(self) -> None:
        self.here = False
        """whether this process is one that a job forked"""
        self._loops = weakref.WeakSet[asyncio.AbstractEventLoop]()
        self._connections = weakref.WeakSet[psycopg.AsyncConnection[Any]]()
        os.register_at_fork(after_in_child=self._after_fork)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep a forked process from running this loop."""
        self._loops.add(loop)

    def watch_connection(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Keep a forked process from speaking over this connection."""
        self._connections.add(connection)

    def leave(self) -> None:
        """End this process, if a job forked it."""
        if self.here:
            os._exit(0)

    def _after_fork(self) -> None:
        if not self._loops:
            return
        self.here = True
        nowhere = os.open(os.devnull, os.O_RDWR)
        for connection in self._connections:
            with suppress(psycopg.Error, OSError):
                os.dup2(nowhere, connection.fileno(), inheritable=False)
        os.close(nowhere)
        for loop in self._loops:
            _empty(loop)
            loop.call_soon(os._exit, 0)


def _empty(loop: asyncio.AbstractEventLoop) -> None:
    """Give a loop a selector of its own; the one it has is the same as its parent's."""
    selector = getattr(loop, "_selector", None)  # asyncio's own
    number = getattr(loop, "_get_backend_id", getattr(selector, "fileno", lambda: -1))()
    if number >= 0 and hasattr(select, "epoll"):
        fresh = select.epoll()
        os.dup2(fresh.fileno(), number, inheritable=False)
        fresh.close()


forked = Forked()
"""Of this process."""
