"""How many jobs a queue asks for: by its slots, what runs or is in hand, and how long it takes."""

from __future__ import annotations

import pytest

from jobqueue.store.claims import Claimed
from jobqueue.worker.lines import MOST_CHARACTERS, MOST_PREFETCHED, Line


def line(
    concurrency: int, *, running: int = 0, in_hand: int = 0, mean_seconds: float | None = None
) -> Line:
    it = Line("default", concurrency)
    it.running = running
    it.mean_seconds = mean_seconds
    while it.ahead < MOST_PREFETCHED:
        it.answered(1, 1, 0)  # a queue that gave all it was asked for so far
    job = Claimed.__new__(Claimed, *[None] * len(Claimed._fields))  # type: ignore[arg-type]
    it.buffer.extend([job] * in_hand)
    return it


@pytest.mark.parametrize(
    ("running", "in_hand", "wanted"),
    [
        (0, 0, 10),  # all slots are free
        (7, 0, 3),
        (10, 0, 0),  # none is
        (10, 4, 0),
        (7, 3, 0),  # what is in hand will fill them
        (7, 1, 2),
        (0, 25, 0),
    ],
)
def test_before_any_job_was_measured_no_more_than_the_free_slots_is_asked_for(
    running: int, in_hand: int, wanted: int
) -> None:
    assert line(10, running=running, in_hand=in_hand).wanted(0.001) == wanted


@pytest.mark.parametrize(
    ("mean_seconds", "round_trip_seconds", "wanted"),
    [
        (1.0, 0.001, 0),  # long jobs: nothing is taken that could wait in hand
        (0.101, 0.01, 0),
        (0.001, 0.001, 10),  # each slot will have used up one by the time the answer is here
        (0.001, 0.02, 200),
        (0.0001, 1.0, MOST_PREFETCHED),
        (0.0, 0.001, MOST_PREFETCHED),
    ],
)
def test_full_slots_ask_ahead_only_for_what_they_use_up_during_a_round_trip(
    mean_seconds: float, round_trip_seconds: float, wanted: int
) -> None:
    assert line(10, running=10, mean_seconds=mean_seconds).wanted(round_trip_seconds) == wanted


@pytest.mark.parametrize(
    ("in_hand", "wanted"),
    [
        (100, 0),  # full
        (90, 0),  # nearly: a batch is worth a round trip only when it is half of it
        (46, 0),
        (45, 55),
        (0, 100),
    ],
)
def test_more_is_asked_for_when_half_is_used_up(in_hand: int, wanted: int) -> None:
    short = line(10, running=10, in_hand=in_hand, mean_seconds=0.001)
    assert short.wanted(0.01) == wanted


def test_a_slot_that_would_stand_idle_asks_at_once() -> None:
    assert line(10, running=0, in_hand=9, mean_seconds=0.001).wanted(0.01) == 101


@pytest.mark.parametrize("concurrency", [1, 2, 10, 1000])
@pytest.mark.parametrize("mean_seconds", [None, 0.0, 1e-6, 0.001, 0.1, 100.0])
@pytest.mark.parametrize("round_trip_seconds", [0.0, 0.0005, 0.05, 10.0])
def test_running_and_in_hand_never_exceed_slots_and_prefetch(
    concurrency: int, mean_seconds: float | None, round_trip_seconds: float
) -> None:
    for running in {0, 1, concurrency}:
        for in_hand in (0, 1, 600):
            it = line(concurrency, running=running, in_hand=in_hand, mean_seconds=mean_seconds)
            wanted = it.wanted(round_trip_seconds)
            assert wanted >= 0
            if wanted > 0:
                assert running + in_hand + wanted <= concurrency + MOST_PREFETCHED
            if running < concurrency and not in_hand:
                assert wanted >= concurrency - running, "a free slot is never left without asking"


def test_the_mean_follows_what_jobs_take() -> None:
    it = line(1)
    it.measure(2.0)
    assert it.mean_seconds == 2.0
    it.measure(1.0)
    assert it.mean_seconds == pytest.approx(1.9)
    for _ in range(200):
        it.measure(0.5)
    assert it.mean_seconds == pytest.approx(0.5)


def test_jobs_that_turn_long_are_learned_of_before_any_of_them_ends() -> None:
    it = line(10, running=10, mean_seconds=0.0001)
    assert it.wanted(0.001) == 100
    it.slowed(0.1)
    assert it.wanted(0.001) == 0
    it.mean_seconds = 7.0
    it.slowed(0.1)
    assert it.mean_seconds == 7.0


def asked_ahead(*gave: float) -> list[int]:
    """Give what it asks for, claim after claim. gave: which part of it each claim gives."""
    it = Line("default", 10)
    it.running = 10
    it.mean_seconds = 0.0
    asked = [it.wanted(0.001)]
    for part in gave:
        it.answered(asked[-1], int(asked[-1] * part), 0)
        asked.append(it.wanted(0.001))
    return asked


def test_it_asks_ahead_for_twice_as_many_while_the_queue_gives_all() -> None:
    assert asked_ahead(1, 1, 1) == [10, 20, 40, 80]


def test_it_asks_for_little_more_than_the_queue_gave() -> None:
    assert asked_ahead(1, 1, 1, 0.1, 0.5) == [10, 20, 40, 80, 16, 16]


def test_it_forgets_what_a_queue_gave_that_gives_nothing_any_more() -> None:
    assert asked_ahead(1, 1, 0, 0, 0, *[0] * 10) == [
        10,
        20,
        40,
        35,
        30,
        26,
        22,
        19,
        16,
        14,
        12,
        *[10] * 5,
    ]


@pytest.mark.parametrize(
    ("characters", "wanted"), [(100, MOST_PREFETCHED), (MOST_CHARACTERS // 4, 4), (2**30, 0)]
)
def test_no_more_arguments_wait_in_hand_than_a_modest_memory_holds(
    characters: int, wanted: int
) -> None:
    it = line(1, running=1, mean_seconds=0.0)
    for _ in range(50):
        it.answered(10, 10, characters * 10)
    assert it.wanted(0.001) == wanted
