"""What a worker can be told, checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobqueue.core.duration import LONGEST_SECONDS
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.names import check_queue_name

DEFAULT_CONCURRENCY = 10
MOST_CONCURRENCY = 10_000


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How one worker process behaves. Times are in seconds.

    queues: concurrency (slots) of each queue served.
    grace_seconds: after SIGTERM, how long running jobs may finish before they are interrupted.
    lease_seconds: how long after its last heartbeat a worker's jobs are taken back.
    poll_seconds: longest pause between two looks of an idle worker.
    connect_seconds: how long to keep trying for the first connection.
    history_days: how long completed and cancelled jobs are kept.
    processed_days: how long ids of jobs processed in `current_job().transaction()` are kept.
    transaction_connections: connections for such transactions at most, of threads and of the event
        loop each.
    maintenance: whether this worker may become the leader.
    pool_threads: threads for plain functions; None for one for each slot.
    pool_processes: child processes for tasks that run in one; None for one for each core.
    process_jobs: how many jobs a child process runs before it is replaced; None for any number.
    process_memory_bytes: how much memory one may hold after a job; more, and it is replaced.
    process_address_bytes: how much address space one may ever have, where the platform can see to
        it: an allocation beyond it raises MemoryError in the job.
    stop_seconds: how long a job that is told to stop may take to do so, before its process is
        killed, or its slot given up as lost.
    blocked_seconds: how long a job may keep the event loop to itself before that is said.
    longest_block_seconds: for how long at most the lease is kept while the event loop is blocked.
    logged_share: of the attempts that complete, how many have a line in the log: from 0 to 1; None:
        all, as long as they are few.
    """

    queues: dict[str, int] = field(default_factory=lambda: {"default": DEFAULT_CONCURRENCY})
    grace_seconds: float = 30.0
    lease_seconds: float = 30.0
    poll_seconds: float = 2.0
    connect_seconds: float = 60.0
    history_days: int = 7
    processed_days: int = 30
    transaction_connections: int = 10
    maintenance: bool = True
    pool_threads: int | None = None
    pool_processes: int | None = None
    process_jobs: int | None = None
    process_memory_bytes: int | None = None
    process_address_bytes: int | None = None
    stop_seconds: float = 5.0
    blocked_seconds: float = 0.5
    longest_block_seconds: float = 600.0
    logged_share: float | None = 0.0

    def __post_init__(self) -> None:
        """Refuse what no worker can work with: raise ConfigurationError."""
        if not self.queues:
            raise ConfigurationError("queues: none; name at least one to serve")
        for queue, concurrency in self.queues.items():
            check_queue_name(queue)
            check_concurrency(concurrency)
        _at_least("lease", self.lease_seconds, 0.1)
        _at_least("poll", self.poll_seconds, 0.001)
        _at_least("grace", self.grace_seconds, 0.0)
        _at_least("history days", self.history_days, 1)
        _at_least("stop", self.stop_seconds, 0.0)
        for name, number in (
            ("threads", self.pool_threads),
            ("processes", self.pool_processes),
            ("jobs of a process", self.process_jobs),
            ("memory of a process", self.process_memory_bytes),
            ("address space of a process", self.process_address_bytes),
        ):
            _at_least(name, 1 if number is None else number, 1)
        _at_least("logged share", self.logged_share or 0.0, 0.0)
        _at_most("lease", self.lease_seconds, LONGEST_SECONDS)
        _at_most("history days", self.history_days, 365_000)
        _at_most("logged share", self.logged_share or 0.0, 1.0)
        _at_most("processed days", self.processed_days, 365_000)

    @property
    def heartbeat_seconds(self) -> float:
        """How often the lease is renewed: two heartbeats may be lost before it expires."""
        return self.lease_seconds / 3


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigurationError(f"{name} {value!r}: too little; give at least {least:g}")


def _at_most(name: str, value: float, most: float) -> None:
    if not value <= most:
        raise ConfigurationError(f"{name} {value!r}: too much; give {most:,.0f} at most")


def parse_queues(specs: Iterable[str], default_concurrency: int) -> dict[str, int]:
    """Read `email=20` or `default` as the concurrency of each queue.

    Raises ConfigurationError for a malformed or repeated one, and for what looks like `email:5`.
    """
    queues: dict[str, int] = {}
    for spec in specs:
        name, equals, slots = spec.partition("=")
        check_queue_name(name)
        before, colon, number = name.rpartition(":")
        if not equals and colon and number.isdecimal():
            raise ConfigurationError(
                f"queue {spec!r}: a colon sets no number; write {before}={number}, or {name}=N if "
                "that is the queue's name"
            )
        if name in queues:
            raise ConfigurationError(f"queue {name!r}: named twice; name it once")
        try:
            concurrency = int(slots) if equals else default_concurrency
        except ValueError:
            raise ConfigurationError(
                f"queue {spec!r}: {slots!r} is not a number; write NAME or NAME=CONCURRENCY"
            ) from None
        queues[name] = check_concurrency(concurrency)
    return queues


def parse_share(text: str) -> float:
    """Read `all`, `failed` or `2.5%` as the share of completed attempts that are logged.

    Raises ConfigurationError for anything else.
    """
    number = {"all": "100%", "failed": "0%"}.get(text, text)
    try:
        share = float(number.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not number.endswith("%") or not 0 <= share <= 1:
        raise ConfigurationError(
            f"{text!r}: not a share of the jobs; write all, failed, or a number as in 10%"
        )
    return share


def check_concurrency(concurrency: int) -> int:
    """Return `concurrency`, or raise ConfigurationError if no queue can have it."""
    if not 1 <= concurrency <= MOST_CONCURRENCY:
        raise ConfigurationError(
            f"concurrency {concurrency}: out of range; give 1 to {MOST_CONCURRENCY:,}"
        )
    return concurrency
