"""What enqueue needs of a connection, whatever its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from jobqueue.store.statement import Execute, ExecuteAsync


@dataclass(frozen=True, slots=True)
class Adapted:
    """A synchronous connection.

    execute: send text with parameters, in the connection's own transaction.
    copy: load blocks of COPY text into the jobs table; None if its driver cannot.
    """

    execute: Execute
    copy: Callable[[Iterable[bytes]], None] | None = None


@dataclass(frozen=True, slots=True)
class AdaptedAsync:
    """An asynchronous connection; as Adapted."""

    execute: ExecuteAsync
    copy: Callable[[Iterable[bytes]], Awaitable[None]] | None = None
