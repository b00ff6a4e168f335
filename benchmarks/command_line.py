"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """Read a number of rounds or jobs. Raises ArgumentTypeError for less than one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return number
