"""Tasks that take memory."""

from __future__ import annotations

import gc

from tests.worker.processes.tasks.registry import jobs

kept: list[bytearray] = []


@jobs.task
def keeps(mebibytes: int) -> None:
    kept.append(bytearray(b"x" * (mebibytes * 1024 * 1024)))


@jobs.task
def without_end() -> None:
    """Take more and more memory; there is an end to it only to spare who runs the tests."""
    heap = [bytearray(16 * 1024 * 1024) for _ in range(400)]
    kept.extend(heap)


@jobs.task
def collects() -> int:
    gc.collect()
    return sum(len(one) for one in kept)
