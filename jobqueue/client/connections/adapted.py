"""What enqueue needs of a connection, whatever its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from jobqueue.store.statement import Execute, ExecuteAsync

Loads = Iterable[Iterable[bytes]]
"""For each of a series of COPYs, the blocks it sends. The next one is drawn when one is done."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A synchronous connection.

    execute: send text with parameters, in the connection's own transaction.
    copy: load COPY text into the jobs table, all of it or nothing; None if its driver cannot.
    """

    execute: Execute
    copy: Callable[[Loads], None] | None = None


@dataclass(frozen=True, slots=True)
class AdaptedAsync:
    """An asynchronous connection; as Adapted."""

    execute: ExecuteAsync
    copy: Callable[[Loads], Awaitable[None]] | None = None
