"""A checker of recordings of batches. It knows what each took and when, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Ran:
    """One batch, in seconds of one clock: its jobs, and when each was taken from the queue.

    ended: None if it was cut off. killed: when its process was, if it was.
    """

    jobs: tuple[int, ...]
    taken: tuple[float, ...]
    began: float
    ended: float | None
    killed: float | None = None


def check_sizes(ran: Sequence[Ran], *, size: int) -> None:
    """Fail unless each batch has at most so many jobs, and none twice."""
    for one in ran:
        assert 1 <= len(one.jobs) <= size, f"a batch of {len(one.jobs)} jobs, {size} allowed"
        assert len(set(one.jobs)) == len(one.jobs), f"a job twice in a batch: {one.jobs}"


def check_waits(ran: Sequence[Ran], *, wait: float, slack: float) -> None:
    """Fail if a job was held longer than the wait before its batch began."""
    for one in ran:
        held = one.began - min(one.taken)
        assert held <= wait + slack, f"a job was held {held:.3f} s, {wait:g} s allowed"


def check_once(ran: Sequence[Ran], jobs: Collection[int], *, recorded: float = 1.0) -> None:
    """Fail unless each job was in one batch that ended, beside those that were cut off.

    recorded: so long after its end the outcomes of a batch are in the books. One whose process was
    killed before that may have ended for nothing.
    """
    ended: dict[int, list[Ran]] = defaultdict(list)
    for one in ran:
        for job in one.jobs:
            if one.ended is not None:
                ended[job].append(one)
    for job in jobs:
        sure = [
            one
            for one in ended[job]
            if one.killed is None or one.ended is None or one.killed > one.ended + recorded
        ]
        assert ended[job], f"job {job}: in no batch that ended"
        assert len(sure) <= 1, f"job {job}: in {len(sure)} batches that ended"
    assert not ended.keys() - set(jobs)


def check_apart(ran: Sequence[Ran], ends: dict[int, float]) -> None:
    """Fail if a job was in two batches at once. ends: when those that were cut off were."""
    spans: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for number, one in enumerate(ran):
        end = ends[number] if one.ended is None else one.ended
        for job in one.jobs:
            spans[job].append((one.began, end))
    for job, runs in spans.items():
        runs.sort()
        for (_, end), (begin, _) in pairwise(runs):
            assert begin >= end, f"job {job}: in two batches at once"
