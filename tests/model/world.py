"""What the model believes to be in the database: what is committed, and what is not yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar
from uuid import UUID

from jobqueue.core.states import TRANSITIONS, Event, State, after

Key = TypeVar("Key")
Value = TypeVar("Value")

MOVES_SEEN: set[tuple[State, Event]] = set()
"""Moves of the transition table that the database made too."""


@dataclass(frozen=True)
class Ask:
    """What an enqueue asks for.

    unique: the key, and whether a job that waits is replaced.
    """

    number: int
    max_attempts: int = 2
    later: bool = False
    job_id: UUID | None = None
    once: str | None = None
    unique: tuple[str, bool] | None = None


@dataclass(frozen=True)
class Job:
    """One job. due: its time has come, if it waits for one.

    contested: what it asked for, while the leader has to decide about it.
    rows: how often it was moved to a row of its own in the table of live jobs.
    """

    id: UUID
    state: State
    number: int
    max_attempts: int
    due: bool = True
    attempt: int = 0
    errors: int = 0
    worker: int | None = None
    lease: int | None = None
    unique: str | None = None
    contested: Ask | None = None
    old: bool = False
    rows: int = 1

    @property
    def same_row(self) -> tuple[str, int]:
        """What stays the same for as long as its row is only updated."""
        return self.place, self.rows

    @property
    def place(self) -> str:
        """The table it is in."""
        if self.state is State.DEAD:
            return "dead_letters"
        return "job_history" if self.state.ended else "jobs"

    def row(self) -> tuple[object, ...]:
        """Everything that is compared."""
        return (
            self.id, self.place, self.state.value, self.number, self.attempt, self.max_attempts,
            self.errors, self.worker, self.lease, self.unique, self.contested is not None,
        )  # fmt: skip


def moved(job: Job, event: Event) -> State:
    """Give the state after `event`, and note that this move was seen."""
    MOVES_SEEN.add((job.state, event))
    if (job.state, event) == (State.BLOCKED, Event.CANCEL):
        # Who enqueued it may take it back before the leader has decided about it.
        return State.CANCELLED
    assert (job.state, event) in TRANSITIONS
    return after(job.state, event)


@dataclass(frozen=True)
class Worker:
    """A worker in the books."""

    id: int
    name: str
    expired: bool = False


@dataclass(frozen=True)
class Once:
    """An idempotency key in use."""

    job_id: UUID
    expired: bool = False


class Mode(StrEnum):
    """How a row is locked; PostgreSQL's FOR KEY SHARE, SHARE, NO KEY UPDATE and UPDATE."""

    KEY = "key"
    SHARE = "share"
    BEAT = "beat"
    WRITE = "write"


CONFLICTS: dict[Mode, set[Mode]] = {
    Mode.KEY: {Mode.WRITE},
    Mode.SHARE: {Mode.WRITE, Mode.BEAT},
    Mode.BEAT: {Mode.WRITE, Mode.BEAT, Mode.SHARE},
    Mode.WRITE: set(Mode),
}


class Thing(NamedTuple):
    """What may be locked: a `job`, a `worker`, a `once` or a `request` row, a `key`, a new `id`."""

    kind: str
    what: UUID | int | str


Locks = Mapping[Thing, Mode]


@dataclass
class Transaction:
    """What a session did and has not committed. None: it took the row away."""

    jobs: dict[UUID, Job | None] = field(default_factory=dict[UUID, Job | None])
    workers: dict[int, Worker | None] = field(default_factory=dict[int, Worker | None])
    once: dict[str, Once | None] = field(default_factory=dict[str, Once | None])
    requests: dict[int, UUID | None] = field(default_factory=dict[int, UUID | None])
    locks: dict[Thing, set[Mode]] = field(default_factory=dict[Thing, set[Mode]])
    highest_key: int | None = None

    def lock(self, thing: Thing, mode: Mode) -> None:
        """Hold `thing` until the end."""
        self.locks.setdefault(thing, set()).add(mode)
        if thing.kind == "key":
            assert isinstance(thing.what, int)
            self.highest_key = max(thing.what, self.highest_key or 0)

    def put(self, job: Job) -> None:
        """Write a job's row."""
        self.jobs[job.id] = job
        self.lock(Thing("job", job.id), Mode.WRITE)


class World:
    """What is committed, and the transactions that are open, by the name of their session.

    key_numbers: by kind and key, the number by which it is locked and put in order.
    """

    def __init__(self, key_numbers: Mapping[tuple[str, str], int]) -> None:
        self.key_numbers = key_numbers
        self.jobs: dict[UUID, Job] = {}
        self.workers: dict[int, Worker] = {}
        self.once: dict[str, Once] = {}
        self.requests: dict[int, UUID] = {}
        """jobs that are to be cancelled while they run, each time somebody asks"""
        self.open: dict[str, Transaction] = {}

    def holders(self, of: Transaction, locks: Locks) -> set[str]:
        """Name the sessions that hold what conflicts with `locks`, which `of` wants."""
        return {
            name
            for name, other in self.open.items()
            for thing, mode in locks.items()
            if other is not of and other.locks.get(thing, set[Mode]()) & CONFLICTS[mode]
        }

    def held(self, of: Transaction, kind: str, what: UUID | int | str, mode: Mode) -> bool:
        """Whether somebody else has locked one thing so that `of` cannot in `mode`."""
        return bool(self.holders(of, {Thing(kind, what): mode}))

    def jobs_seen(self, by: Transaction) -> dict[UUID, Job]:
        """Give the jobs as a session sees them."""
        return _over(self.jobs, by.jobs)

    def workers_seen(self, by: Transaction) -> dict[int, Worker]:
        """Give the workers as a session sees them."""
        return _over(self.workers, by.workers)

    def once_seen(self, by: Transaction) -> dict[str, Once]:
        """Give the idempotency keys as a session sees them."""
        return _over(self.once, by.once)

    def requests_seen(self, by: Transaction) -> dict[int, UUID]:
        """Give the requests to cancel as a session sees them."""
        return _over(self.requests, by.requests)

    def asked(self, by: Transaction) -> set[UUID]:
        """Give the jobs that are to be cancelled as a session sees it."""
        return {*self.requests_seen(by).values()}

    def forget_requests(
        self, by: Transaction, fits: Callable[[UUID], bool], among: Collection[int]
    ) -> None:
        """Take away the requests for jobs that fit, but for those that somebody else has locked.

        among: those that were there when the statement started.
        """
        for number, job_id in self.requests_seen(by).items():
            free = not self.held(by, "request", number, Mode.WRITE)
            if free and number in among and fits(job_id):
                by.requests[number] = None
                by.lock(Thing("request", number), Mode.WRITE)

    def which(self, by: Transaction, fits: Callable[[Job], bool]) -> list[Job]:
        """Give the jobs a session sees that fit, the oldest first."""
        return [job for job in self.jobs_seen(by).values() if fits(job)]

    def commit(self, transaction: Transaction) -> None:
        """Let everybody see it."""
        self.jobs = self.jobs_seen(transaction)
        self.workers = self.workers_seen(transaction)
        self.once = self.once_seen(transaction)
        self.requests = self.requests_seen(transaction)

    def everywhere(self) -> Iterable[Job]:
        """Give every job that anybody sees, in every form."""
        yield from self.jobs.values()
        for transaction in self.open.values():
            yield from (job for job in transaction.jobs.values() if job is not None)


def _over(below: Mapping[Key, Value], above: Mapping[Key, Value | None]) -> dict[Key, Value]:
    both = {**below, **above}
    return {key: value for key, value in both.items() if value is not None}
