"""Statements about workers and what they register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobqueue.store.statement import Statement, first, sql


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker in the books. Times are aware."""

    id: int
    name: str
    hostname: str
    pid: int
    queues: list[str]
    concurrency: int
    started_at: datetime
    heartbeat_at: datetime
    expired: bool
    draining: bool
    lost_slots: int


def register(
    *,
    name: str,
    hostname: str,
    pid: int,
    queues: dict[str, int],
    lease_seconds: float,
    home: str = "",
    tasks: Sequence[str] | None = None,
) -> Statement[int]:
    """Enter a worker in the books. The row is its id.

    home: where `pid` means something. tasks: those it has; None does not say.
    """
    params = {
        "name": name,
        "hostname": hostname,
        "pid": pid,
        "queues": list(queues),
        "concurrency": sum(queues.values()),
        "lease_seconds": lease_seconds,
        "home": home,
        "tasks": None if tasks is None else list(tasks),
    }
    return Statement(sql("workers/register"), params, first)


def at_home(home: str, worker_id: int) -> Statement[tuple[int, int]]:
    """Find the other workers that live in `home`. Rows are their ids and processes."""
    params = {"home": home, "worker_id": worker_id}
    return Statement(sql("workers/at_home"), params, lambda row: (row[0], row[1]))


def declare_dead(ids: Sequence[int]) -> Statement[str]:
    """End the leases of workers whose processes are gone. Rows are their names."""
    return Statement(sql("workers/declare_dead"), {"ids": list(ids)}, first)


def register_tasks(tasks: str) -> Statement[Any]:
    """Note the defaults of tasks, given as JSON."""
    return Statement(sql("tasks/register"), {"tasks": tasks}, first)


def new_queues(queues: Sequence[str]) -> Statement[list[str]]:
    """Find out of which of these queues nothing is known. One row: their names."""
    return Statement(sql("workers/new_queues"), {"queues": list(queues)}, first)


def heartbeat(
    worker_id: int,
    *,
    lease_seconds: float,
    draining: bool,
    lost_slots: int = 0,
    clock: float | None = None,
) -> Statement[int]:
    """Renew the lease. No row: it had expired and the worker was struck off.

    clock: what the worker's own clock shows, in seconds since 1970.
    """
    params = {
        "worker_id": worker_id,
        "lease_seconds": lease_seconds,
        "draining": draining,
        "lost_slots": lost_slots,
        "clock": clock,
    }
    return Statement(sql("workers/heartbeat"), params, first)


def sleep(worker_id: int, queues: Sequence[str]) -> Statement[Any]:
    """Say in which queues the worker sleeps; none when it is awake."""
    return Statement(sql("workers/sleep"), {"worker_id": worker_id, "queues": list(queues)}, first)


def listen() -> Statement[Any]:
    """Listen for wake-ups; a notification's payload is a queue's name."""
    return Statement(sql("workers/listen"), {}, first)


def listen_cancel() -> Statement[Any]:
    """Listen for requests to cancel; a notification's payload is a worker's id."""
    return Statement(sql("workers/listen_cancel"), {}, first)


def cancel_requests(worker_id: int) -> Statement[tuple[str, int]]:
    """Find which of the worker's running jobs are to be cancelled. Rows are ids and leases."""
    params = {"worker_id": worker_id}
    return Statement(sql("workers/cancel_requests"), params, lambda row: (row[0], row[1]))


def probe() -> Statement[int]:
    """Find out whether the server is still there."""
    return Statement(sql("workers/probe"), {}, first)


def wake(queues: Sequence[str]) -> Statement[Any]:
    """Wake workers that sleep in `queues`."""
    return Statement(sql("workers/wake"), {"queues": list(queues)}, first)


def claims_are_over(worker_id: int) -> Statement[bool]:
    """Ask whether no claim of the worker is under way, on whatever session."""
    return Statement(sql("workers/claims_are_over"), {"worker_id": worker_id}, first)


def leave(worker_id: int) -> Statement[int]:
    """Strike off a worker that holds nothing any more."""
    return Statement(sql("workers/leave"), {"worker_id": worker_id}, first)


def list_workers() -> Statement[WorkerRecord]:
    """Find every worker in the books, oldest first."""
    return Statement(sql("workers/list"), {}, lambda row: WorkerRecord(*row))
