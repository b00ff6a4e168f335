"""The plan: which fault happens when, decided by a seed and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be done to the system."""

    KILL = "kill a worker"
    KILL_LEADER = "kill the leader"
    FREEZE = "freeze a worker for longer than its lease"
    FREEZE_LEADER = "freeze the leader for longer than its lease"
    TERMINATE = "stop a worker in good order"
    KILL_PRODUCER = "kill a producer"
    END_SESSIONS = "end some sessions of workers"
    END_SESSIONS_AGAIN = "end every session of workers again and again while one starts"
    RESTART_FAST = "restart the server, fast"
    RESTART_IMMEDIATE = "restart the server, as if it had crashed"
    FAIL_OVER = "fail over to the replica"
    STALL_REPLICA = "stall the replica, so that commits wait"
    LOSE_ANSWERS = "end the sessions whose commits wait for a stalled replica"
    FILL_CONNECTIONS = "take every connection there is"
    PROXY_CUT = "cut the proxy's connections"
    PROXY_HALF_OPEN = "leave the proxy's connections half open"
    PROXY_DELAY = "delay what goes through the proxy"
    POOLER_KILL = "kill the connection pooler"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to be done.

    at: seconds after the start.
    pick: which of those it can be done to, or in which way; taken modulo their number.
    seconds: how long it lasts, where it lasts.
    """

    at: float
    kind: Kind
    pick: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f", for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:7.1f} s  {self.kind} (pick {self.pick}){lasting}"


LEASE_SECONDS = 4.0

# How long a fault lasts, from and to. What is not here happens in a moment.
SECONDS: dict[Kind, tuple[float, float]] = {
    Kind.FREEZE: (LEASE_SECONDS + 1.5, LEASE_SECONDS + 4),
    Kind.FREEZE_LEADER: (LEASE_SECONDS + 1.5, LEASE_SECONDS + 4),
    Kind.END_SESSIONS_AGAIN: (2.0, 3.0),
    Kind.RESTART_FAST: (0.0, 2.0),
    Kind.RESTART_IMMEDIATE: (0.0, 6.0),
    Kind.FAIL_OVER: (0.0, 3.0),
    Kind.STALL_REPLICA: (1.0, 3.0),
    Kind.LOSE_ANSWERS: (0.5, 1.5),
    Kind.FILL_CONNECTIONS: (2.0, 5.0),
    Kind.PROXY_HALF_OPEN: (0.5, 6.0),
    Kind.PROXY_DELAY: (2.0, 5.0),
}

# One round of faults. What happens most in the field happens more than once.
ROUND = (
    *(*Kind, Kind.KILL, Kind.KILL, Kind.FREEZE, Kind.END_SESSIONS),
    *(Kind.PROXY_CUT, Kind.PROXY_HALF_OPEN, Kind.LOSE_ANSWERS),
)

# Time for the first jobs, and the pauses between two faults: some overlap, some are recovered from.
FIRST_SECONDS = 3.0
BETWEEN_SECONDS = (0.5, 6.0)
# A failover needs a replica, and a new one takes a few seconds.
BETWEEN_FAILOVERS_SECONDS = 20.0


def make_plan(seed: int, minutes: float) -> list[Fault]:
    """Give the faults of `minutes` minutes: the same seed, the same plan."""
    chance = random.Random(seed)
    until = minutes * 60
    faults: list[Fault] = []
    at = FIRST_SECONDS
    failed_over = -BETWEEN_FAILOVERS_SECONDS
    for kind in _kinds(chance):
        if at >= until:
            return faults
        if kind is Kind.FAIL_OVER:
            at = max(at, failed_over + BETWEEN_FAILOVERS_SECONDS)
            failed_over = at
        seconds = chance.uniform(*SECONDS[kind]) if kind in SECONDS else 0.0
        faults.append(Fault(round(at, 1), kind, chance.randrange(1000), round(seconds, 1)))
        at += chance.uniform(*BETWEEN_SECONDS)
    raise AssertionError("rounds never end")


def _kinds(chance: random.Random) -> Iterator[Kind]:
    """Give rounds of all faults, each in an order of its own."""
    while True:
        kinds: Sequence[Kind] = chance.sample(ROUND, len(ROUND))
        yield from kinds


def short_plan() -> list[Fault]:
    """Give the few faults of the form that runs with every test run."""
    return [
        Fault(1.5, Kind.KILL_LEADER),
        Fault(2.0, Kind.FREEZE, pick=1, seconds=LEASE_SECONDS + 1.5),
        Fault(3.5, Kind.END_SESSIONS, pick=2),
        Fault(4.5, Kind.PROXY_HALF_OPEN, pick=1, seconds=3.0),
        Fault(5.5, Kind.RESTART_IMMEDIATE, seconds=0.5),
        Fault(8.0, Kind.TERMINATE, pick=0),
        Fault(8.5, Kind.FAIL_OVER),
        Fault(10.0, Kind.KILL, pick=3),
        Fault(10.5, Kind.PROXY_CUT),
        Fault(11.0, Kind.LOSE_ANSWERS, seconds=1.0),
    ]
