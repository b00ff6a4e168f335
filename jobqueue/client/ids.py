"""Ids made here: UUID version 7, which are in the order of their time."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from uuid import UUID

_random = random.SystemRandom()


def new_id() -> UUID:
    """Give a UUIDv7. The twelve bits after the version are the fraction of the millisecond.

    Source: RFC 9562, section 6.2, method 3.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    noise = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=milliseconds << 80 | (0x7000 | fraction) << 64 | 2 << 62 | noise)


def increasing_ids() -> Iterator[str]:
    """Give UUIDv7 after UUIDv7, each greater than the one before, as 32 hexadecimal digits.

    The twelve bits after the version count within a millisecond; when they are used up, the time
    part runs ahead of the clock. Source: RFC 9562, section 6.2, methods 1 and 2.
    """
    milliseconds = time.time_ns() // 1_000_000
    bits = random.Random(_random.getrandbits(256)).getrandbits  # noqa: S311 - seeded by the system; unique, not secret
    while True:
        for count in range(4096):
            yield f"{milliseconds:012x}7{count:03x}{0x8000000000000000 | bits(62):016x}"
        milliseconds = max(milliseconds + 1, time.time_ns() // 1_000_000)
