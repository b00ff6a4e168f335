"""How many of the attempts that complete have a line in the log, when nobody says how many."""

from __future__ import annotations

import pytest

from jobqueue.observe.attempts import MOST_LINES, SHARE_BEYOND, Noted
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.store.claims import Claimed

JOB = Claimed("1", "work", "{}", 1, 5, "default", 1, 5, 0.0)


def complete(noted: Noted, count: int, *, second: float) -> None:
    for _ in range(count):
        noted.completed(JOB, second, 0.25)


def test_all_have_one_as_long_as_they_are_few(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    noted = Noted(Tallies(), None, chance=lambda: 0.5)
    complete(noted, MOST_LINES, second=7.0)
    complete(noted, MOST_LINES, second=8.0)
    assert len(caplog.records) == 2 * MOST_LINES


@pytest.mark.parametrize(("chance", "more"), [(0.5, 0), (SHARE_BEYOND / 2, 50)])
def test_of_those_beyond_few_have_one(
    caplog: pytest.LogCaptureFixture, chance: float, more: int
) -> None:
    caplog.set_level("INFO")
    complete(Noted(Tallies(), None, chance=lambda: chance), MOST_LINES + 50, second=7.0)
    assert len(caplog.records) == MOST_LINES + more
