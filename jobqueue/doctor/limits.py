"""From where on the doctor calls something a problem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of all checks. Times are in seconds.

    statement_seconds: how long one question to the database may take.
    snapshot_seconds: how old a snapshot, or a prepared transaction, may be.
    slot_transactions: for how many transactions a replication slot may hold rows back.
    slot_bytes: how much of the log one may keep on the disk.
    dead_tuples: dead rows of a table beyond which it should have been vacuumed.
    unvacuumed_seconds: how long that may be put off.
    bloat_bytes: how much of a table or an index may be empty, once it is most of it.
    leader_seconds: how long there may be no leader, as when one worker hands over to another.
    waiting_seconds: how long a job may wait for a slot.
    late_seconds: how long what is due may wait for the leader: jobs, ticks, jobs of lost workers.
    clock_seconds: how far clocks may be apart.
    connections: the share of the connections that may be in use.
    """

    statement_seconds: float = 5.0
    snapshot_seconds: float = 300.0
    slot_transactions: int = 200_000
    slot_bytes: int = 4 << 30
    dead_tuples: int = 100_000
    unvacuumed_seconds: float = 600.0
    bloat_bytes: int = 1 << 30
    leader_seconds: float = 5.0
    waiting_seconds: float = 900.0
    late_seconds: float = 60.0
    clock_seconds: float = 2.0
    connections: float = 0.85
