"""A checker of recordings against limits. It knows when jobs began and ended, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """One attempt: of which job and key, and between which moments, in seconds of one clock."""

    job: int
    key: str
    began: float
    ended: float
    weight: int = 1


def most_in_a_window(starts: Iterable[tuple[float, int]], seconds: float) -> int:
    """Give the greatest sum of weights that began in any half-open window of so many seconds."""
    ordered = sorted(starts)
    most = now = first = 0
    for moment, weight in ordered:
        now += weight
        while moment - ordered[first][0] >= seconds:
            now -= ordered[first][1]
            first += 1
        most = max(most, now)
    return most


def check_rate(ran: Sequence[Ran], *, amount: int, per: float) -> None:
    """Fail unless each key kept to so many starts in any window."""
    by_key: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for one in ran:
        by_key[one.key].append((one.began, one.weight))
    for key, starts in by_key.items():
        most = most_in_a_window(starts, per)
        assert most <= amount, f"key {key!r}: {most} starts within {per:g} s, {amount} allowed"


def check_concurrency(ran: Sequence[Ran], *, amount: int) -> None:
    """Fail unless of each key never more than so many ran at once."""
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for one in ran:
        # Who ends in the very moment in which another begins has ended.
        changes[one.key] += [(one.began, 1), (one.ended, -1)]
    for key, moments in changes.items():
        running = most = 0
        for _, change in sorted(moments):
            running += change
            most = max(most, running)
        assert most <= amount, f"key {key!r}: {most} ran at once, {amount} allowed"


def check_order(ran: Sequence[Ran]) -> None:
    """Fail unless the jobs of each key ended in the order of their numbers, and none in another."""
    by_key: dict[str, list[Ran]] = defaultdict(list)
    for one in ran:
        by_key[one.key].append(one)
    for key, attempts in by_key.items():
        attempts.sort(key=lambda one: one.began)
        numbers = [one.job for one in attempts]
        assert numbers == sorted(numbers), f"key {key!r}: began in the order {numbers}"
