"""Whether a worker is alive and ready, as it can know by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """problems: what is wrong, in words; none if all is well."""

    problems: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Signs:
    """What a worker shows of itself. Ages in seconds.

    working: it is in the books and claims. draining: it was told to stop.
    turned_age: since the claim loop last went round, and longest_turn_seconds how seldom it may.
    database_age: since the database answered.
    heartbeat_age: since the lease was last renewed, and heartbeat_seconds how often it is.
    claim_failed: the last claim failed.
    silent_seconds: for how long the event loop has not answered.
    longest_block_seconds: for how long the lease of a worker whose loop is blocked is kept.
    """

    working: bool
    draining: bool
    turned_age: float
    longest_turn_seconds: float
    database_age: float
    heartbeat_age: float
    heartbeat_seconds: float
    claim_failed: bool
    silent_seconds: float
    longest_block_seconds: float


# A loop that takes longer to answer runs no job in time.
LONGEST_SILENCE_SECONDS = 1.0


def live(signs: Signs) -> Health:
    """Say whether the process is worth keeping; if not, only a new one helps.

    An outage of the database is none of its faults. Nor is a job that blocks the event loop, for as
    long as the worker's lease is kept meanwhile.
    """
    if signs.silent_seconds > signs.longest_block_seconds:
        return Health((f"the event loop has not answered for {signs.silent_seconds:.0f} s",))
    return Health()


def ready(signs: Signs) -> Health:
    """Say whether the worker takes jobs and runs them now."""
    problems: list[str] = []
    if signs.draining:
        problems.append("it drains")
    elif not signs.working:
        problems.append("it has not begun to claim")
    if signs.silent_seconds > LONGEST_SILENCE_SECONDS:
        problems.append(f"the event loop has not answered for {signs.silent_seconds:.1f} s")
    if signs.working and not signs.draining:
        if signs.claim_failed:
            problems.append(f"the database last answered {signs.database_age:.1f} s ago")
        if signs.turned_age > signs.longest_turn_seconds:
            problems.append(f"the claim loop has stood still for {signs.turned_age:.0f} s")
        if signs.heartbeat_age > 2 * signs.heartbeat_seconds:
            problems.append(f"its lease was last renewed {signs.heartbeat_age:.1f} s ago")
    return Health(tuple(problems))
