"""What crosses between a worker and its child processes: lines of JSON, and the tokens of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

import orjson

from jobqueue.core.outcome import Described, Kind, Verdict
from jobqueue.store.claims import Claimed, More

TOKEN = Struct("=I")
"""A job's number within its child, from 1; it is written and read whole."""

EXIT_BROKEN = 71
"""The exit code of a child that could not load the application."""
EXIT_LOST = 72
"""The exit code of a child that can no longer speak with the worker, nor hear it."""

TAG = b"\x1e"
"""Begins what is said about a job in a child's output, in the midst of what is merely printed."""

Fields = dict[str, Any]
"""How a job ended, as it crosses: the fields of an Outcome that are not at their defaults."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child process may do before it is replaced.

    max_jobs: how many jobs it runs; None for any number.
    max_memory_bytes: how much memory it may hold after a job; one that holds more is replaced.
    memory_limit_bytes: how much address space it may ever have, where the platform can see to it:
        an allocation beyond it raises MemoryError in the job.
    interrupt_seconds: between the request to stop a job and SIGKILL.
    start_seconds: how long loading the application may take.
    """

    max_jobs: int | None = None
    max_memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    interrupt_seconds: float = 5.0
    start_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What a child is told first. It holds the database's URL, so it is never on a command line."""

    release: str
    application: str
    imports: list[str]
    path: list[str]
    database_url: str | None
    pooled: bool
    log_level: int
    max_memory_bytes: int | None
    memory_limit_bytes: int | None
    orphan_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended in a child process, judged there, where its task and exceptions are known.

    kind, delay_seconds, refund: as in a Verdict.
    seconds: how long it ran.
    error: type, message and traceback, with secret arguments hidden.
    result: what the task returned, as JSON, if it was asked for.
    settled: nothing is left to record: the job's own transaction did it, or its lease is lost.
    interrupted: it was stopped because somebody asked for that.
    """

    kind: Kind
    seconds: float = 0.0
    delay_seconds: float = 0.0
    refund: bool = False
    error: dict[str, str] | None = None
    result: str | None = None
    settled: bool = False
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """What is to be recorded of a job that did not complete."""
        error = None if self.error is None else Described(self.error)
        return Verdict(self.kind, self.delay_seconds, self.refund, error)


def outcome(fields: Fields) -> Outcome:
    """Read how a job ended."""
    given: Fields = {**fields, "kind": Kind(fields["kind"])}
    return Outcome(**given)


def claimed_parts(job: Claimed) -> tuple[object, ...]:
    """Give a job as it is written in a message."""
    return job if job.more is None else (*job[:-1], tuple(job.more))


def claimed(parts: Iterable[Any]) -> Claimed:
    """Read a job from a message."""
    job = Claimed._make(parts)
    return job if job.more is None else job._replace(more=More(*job.more))


def line(*parts: object) -> bytes:
    """Write a message."""
    return orjson.dumps(parts) + b"\n"


@dataclass(slots=True)
class Splitter:
    """Puts what is read together into lines, each without its end."""

    _begun: list[bytes] = field(default_factory=list[bytes])

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what was read; give the lines that are whole now."""
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join([*self._begun, whole[0]])
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return whole
