"""The checkers of recordings find what is wrong in made-up ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.worker import batches_kept, pauses_kept
from tests.worker.batches_kept import Ran
from tests.worker.pauses_kept import Began, Pause

PAUSE = Pause("queue", "mail", 10.0, 20.0)


def began(at: float, queue: str = "mail") -> Began:
    return Began(1, queue, "send", "", at)


def test_starts_outside_of_a_pause_are_right() -> None:
    fine = [began(9.9), began(10.9), began(20.0), began(15.0, "other")]
    pauses_kept.check_pauses(fine, [PAUSE])
    pauses_kept.check_resumed(fine, [PAUSE], within=1.0)


def test_a_start_within_a_pause_is_found() -> None:
    with pytest.raises(AssertionError, match=r"began 1\.100 s after its pause"):
        pauses_kept.check_pauses([began(11.1)], [PAUSE])


def test_a_pause_that_does_not_end_is_found() -> None:
    with pytest.raises(AssertionError, match="nothing began"):
        pauses_kept.check_resumed([began(22.0)], [PAUSE], within=1.0)


def batch(*jobs: int, began: float = 1.0, ended: float | None = 2.0, taken: float = 0.5) -> Ran:
    return Ran(jobs, (taken,) * len(jobs), began, ended)


def test_batches_that_are_right() -> None:
    ran = [batch(1, 2), batch(3, ended=None), batch(3, began=3.0, ended=4.0, taken=2.9)]
    batches_kept.check_sizes(ran, size=2)
    batches_kept.check_waits(ran, wait=0.5, slack=0.01)
    batches_kept.check_once(ran, {1, 2, 3})
    batches_kept.check_apart(ran, {1: 2.5})
    batches_kept.check_once([replace(batch(1), killed=2.5), batch(1)], {1})


def test_what_is_wrong_with_batches_is_found() -> None:
    for ran, said in (([batch(1, 2, 3)], "3 jobs"), ([batch(1, 1)], "twice")):
        with pytest.raises(AssertionError, match=said):
            batches_kept.check_sizes(ran, size=2)
    with pytest.raises(AssertionError, match=r"held 0\.500 s"):
        batches_kept.check_waits([batch(1)], wait=0.3, slack=0.1)
    lived_on = replace(batch(1), killed=4.0)
    for ran in (
        [batch(1), batch(1)],
        [lived_on, batch(1)],
        [batch(1, ended=None)],
        [batch(1), batch(2)],
    ):
        with pytest.raises(AssertionError):
            batches_kept.check_once(ran, {1})
    with pytest.raises(AssertionError, match="two batches at once"):
        batches_kept.check_apart([batch(1), batch(1, began=1.5)], {})
