"""Jobs in hand under a rate: when they may start by the database's clock, as far as it is known."""

from __future__ import annotations

import pytest

from jobqueue.core.limits import LATEST_SECONDS
from jobqueue.store.claims import Claimed, More
from jobqueue.worker import database_clock
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.lines import Line
from jobqueue.worker.paced import Paced
from tests.worker.playing import play

# The database's clock is wrong by years: nobody compares it with the worker's own.
DATABASE = 1_000_000_000.0


class OurClock:
    """The worker's own, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(database_clock, "clock", lambda: self.now)


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> OurClock:
    return OurClock(monkeypatch)


def job(number: int, starts_at: float) -> Claimed:
    return Claimed(str(number), "work", "{}", 1, 5, "default", 1, 5, 0.0, More(starts_at=starts_at))


def known(round_trip: float = 0.004) -> DatabaseClock:
    """Give a clock that has just heard DATABASE, from an answer after so long."""
    its_clock = DatabaseClock()
    its_clock.learn(DATABASE, database_clock.clock() - round_trip)
    return its_clock


@pytest.mark.usefixtures("ours")
def test_nothing_starts_before_the_clock_is_known() -> None:
    async def scenario() -> None:
        due: list[Claimed] = []
        paced = Paced(DatabaseClock(), lambda jobs: due.extend(one for _, one in jobs))
        paced.put(Line("default", 5), job(1, DATABASE))
        paced.look()
        assert due == []

    play(scenario())


def test_the_closest_bounds_hold(ours: OurClock) -> None:
    its_clock = known(round_trip=0.02)
    assert its_clock.bounds() == pytest.approx((DATABASE, DATABASE + 0.02))
    ours.now += 0.1
    its_clock.learn(DATABASE + 0.11, ours.now - 0.003)
    assert its_clock.bounds() == pytest.approx((DATABASE + 0.11, DATABASE + 0.113))


def test_a_clock_that_was_set_is_believed_as_it_is_now(ours: OurClock) -> None:
    its_clock = known()
    ours.now += 1.5
    its_clock.learn(DATABASE - 3600.0, ours.now - 0.004)
    assert its_clock.bounds() == pytest.approx((DATABASE - 3600.0, DATABASE - 3600.0 + 0.004))


def test_a_job_is_due_when_its_moment_has_come_for_certain(ours: OurClock) -> None:
    async def scenario() -> None:
        due: list[str] = []
        paced = Paced(known(), lambda jobs: due.extend(one.id for _, one in jobs))
        line = Line("default", 5)
        for number, seconds in ((3, 0.3), (1, 0.1), (2, 0.2)):
            paced.put(line, job(number, DATABASE + seconds))
        paced.look()
        assert due == []
        ours.now += 0.2001
        paced.look()
        assert due == ["1", "2"]
        assert [one.id for one in paced] == ["3"]

    play(scenario())


def test_a_job_is_late_as_soon_as_it_may_be(ours: OurClock) -> None:
    paced = Paced(known(round_trip=0.01), lambda _: None)
    assert paced.on_time(job(1, DATABASE))
    ours.now += LATEST_SECONDS - 0.011
    assert paced.on_time(job(1, DATABASE))
    ours.now += 0.002
    assert not paced.on_time(job(1, DATABASE))


def test_a_worker_that_was_frozen_starts_nothing_late(ours: OurClock) -> None:
    async def scenario() -> None:
        its_clock = known()
        late: list[bool] = []
        paced = Paced(
            its_clock, lambda jobs: late.extend(not paced.on_time(one) for _, one in jobs)
        )
        paced.put(Line("default", 5), job(1, DATABASE + 0.1))
        ours.now += 30.0
        paced.look()
        assert late == [True]

    play(scenario())


@pytest.mark.usefixtures("ours")
def test_what_is_taken_out_makes_room() -> None:
    async def scenario() -> None:
        paced = Paced(known(), lambda _: None)
        line = Line("default", 5)
        for number in range(5):
            paced.put(line, job(number, DATABASE + 1.0))
        assert paced.room(line) == 0
        assert [one.id for _, one in paced.remove(lambda one: one.id == "3")] == ["3"]
        assert paced.room(line) == 1

    play(scenario())
