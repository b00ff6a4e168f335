"""Where looks for jobs begin while an old snapshot keeps claimed jobs in the index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from jobqueue import JobQueue
from jobqueue.store import claims
from jobqueue.store.claims import NO_STRETCHES, Claimed, Look
from jobqueue.store.database import session_settings, to_conninfo
from jobqueue.store.statement import Statement
from jobqueue.worker.looks import DEPTHS, FEW, FEW_PER_JOB, LONGEST_SECONDS, SHARE, Looks
from tests.store.steps import complete, do, enqueue, enqueue_many, register
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

LIMITS = {"default": 100}
COSTLY = FEW + FEW_PER_JOB + 1


def looks() -> Looks:
    return Looks(LIMITS, {5})


def claimed(priority: int = 5, run_at: float = 1_000.0, job_id: str = "a") -> Claimed:
    return Claimed(job_id, "work", "{}", 1, 5, "default", 1, priority, run_at)


def learn(it: Looks, *jobs: Claimed, walked: int, now: float = 0.0, seconds: float = 0.25) -> None:
    it.learn({"default": len(jobs) or 1}, Look(list(jobs), walked, 2_000.0), now, seconds)


def test_looks_begin_at_the_head_of_the_queue_while_that_is_cheap() -> None:
    it = looks()
    for now in (0.0, 0.0, 1.0):
        assert it.stretches(now) is NO_STRETCHES
        learn(it, claimed(), walked=FEW + FEW_PER_JOB, now=now)


def test_after_a_costly_look_the_next_begin_less_far_back_for_forty_times_as_long() -> None:
    it = looks()
    it.stretches(0.0)
    learn(it, claimed(run_at=1_000.0), walked=COSTLY, now=0.0, seconds=0.25)
    just_before = 0.25 * SHARE - 0.01
    assert [one.after_run_at for one in it.stretches(just_before)["default"]][1:] == [990.0]
    learn(it, claimed(run_at=1_001.0), walked=1, now=just_before)
    assert it.stretches(0.25 * SHARE) is NO_STRETCHES


def test_while_every_depth_is_costly_looks_begin_at_the_last_claimed_job_itself() -> None:
    it = looks()
    for _ in DEPTHS:
        it.stretches(0.0)
        learn(it, claimed(run_at=1_000.0, job_id="b"), walked=COSTLY)
    [urgent, rest] = it.stretches(0.0)["default"]
    assert (rest.after_priority, rest.after_run_at, rest.after_id) == (5, 1_000.0, "b")
    assert urgent.to_priority == 4  # what is more urgent than all that was seen is never left out


def places(it: Looks) -> list[tuple[int, float]]:
    """Give the places of the default queue, found by a look that begins a second before them."""
    return [(one.after_priority, one.after_run_at + 1.0) for one in it.stretches(0.0)["default"]][
        1:
    ]


def after_costly_looks(*founds: list[Claimed]) -> Looks:
    it = looks()
    for jobs in founds:
        it.stretches(0.0)
        it.learn({"default": len(jobs)}, Look(list(jobs), COSTLY * 10, 2_000.0), 0.0, 0.25)
    return it


def test_a_place_is_kept_for_each_priority() -> None:
    it = after_costly_looks([claimed(0, 7.0), claimed(5, 3.0)], [claimed(0, 6.0), claimed(5, 4.0)])
    assert places(it) == [(0, 7.0), (5, 4.0)]


def test_a_look_that_ended_before_an_earlier_place_is_followed_up_from_its_own_end() -> None:
    it = after_costly_looks([claimed(5, 7.0)], [claimed(5, 3.0, "late")])
    assert places(it) == [(5, 3.0)]


def test_a_look_that_took_all_there_was_sets_the_place_to_its_moment() -> None:
    # Also back, from a job that was due in the future, or when the server's clock was set back.
    it = after_costly_looks([claimed(5, 9_000.0)])
    it.stretches(0.0)
    it.learn(LIMITS, Look([claimed(5, 3.0)], COSTLY * 10, 2_000.0), 0.0, 0.25)
    assert places(it) == [(5, 2_000.0)]


def test_a_claim_that_was_refused_says_nothing_of_the_queue() -> None:
    it = after_costly_looks([claimed(5, 7.0)])
    it.stretches(0.0)
    it.learn(LIMITS, Look([], None, 2_000.0), 0.0, 0.25)
    assert [one.after_run_at for one in it.stretches(0.0)["default"]][1:] == [-3.0]


def test_a_look_that_was_held_up_does_not_put_off_the_next_for_long() -> None:
    it = looks()
    it.stretches(0.0)
    learn(it, claimed(), walked=COSTLY, seconds=3_600.0)
    assert it.stretches(LONGEST_SECONDS) is NO_STRETCHES


def test_a_look_that_found_nothing_is_remembered_by_its_moment() -> None:
    it = looks()
    it.stretches(0.0)
    learn(it, walked=COSTLY)
    assert [one.after_run_at for one in it.stretches(0.0)["default"]][1:] == [1_990.0]


@dataclass
class Claimer:
    """A worker's claims, one at a time, by a clock that the test moves on."""

    connection: psycopg.Connection
    looks: Looks = field(default_factory=looks)
    now: float = 0.0
    walked: int = 0

    def __post_init__(self) -> None:
        self.worker = register(self.connection)

    def claim(self, limit: int) -> list[Claimed]:
        limits = {"default": limit}
        stretches = self.looks.stretches(self.now)
        rows = do(self.connection, claims.claim(self.worker, limits, ["work"], stretches))
        look = claims.look(rows)
        self.looks.learn(limits, look, self.now, 0.25)
        self.walked = look.walked or 0
        if look.jobs:
            complete(self.connection, *look.jobs)
        return look.jobs


@pytest.fixture
def report(database_url: str) -> Iterator[None]:
    """Have a session with an old snapshot, as a long report has."""
    with psycopg.connect(to_conninfo(database_url)) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT FROM jobqueue.jobs")
        yield


MANY = 6_000


@pytest.fixture
def claimer(books: Books, report: None) -> Claimer:
    """Give one that has claimed many jobs that nobody can clean away, and found no more."""
    do(books.connection, session_settings("5s"))
    books.connection.execute(
        "INSERT INTO jobqueue.jobs "
        "(id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args) "
        "SELECT jobqueue.uuid_v7(), now() - interval '1 h', now(), 5, 5, 'available', 'default', "
        "'work', '{}' FROM generate_series(1, %s)",
        [MANY],
    )
    it = Claimer(books.connection)
    while it.claim(1_000):
        pass
    return it


def test_a_claim_does_not_walk_over_what_was_claimed_before(claimer: Claimer) -> None:
    assert claimer.claim(100) == []
    assert claimer.walked < FEW
    enqueue(claimer.connection)
    assert len(claimer.claim(100)) == 1
    assert claimer.walked < FEW


@pytest.mark.parametrize("priority", [0, 4, 5, 9])
def test_new_jobs_of_any_priority_are_found_at_once(claimer: Claimer, priority: int) -> None:
    job = enqueue(claimer.connection, priority=priority)
    assert [one.id for one in claimer.claim(100)] == [str(job)]


def test_a_job_from_before_is_found_by_the_next_look_from_the_head(claimer: Claimer) -> None:
    job = enqueue(claimer.connection)
    claimer.connection.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '2 h'")
    assert claimer.claim(100) == []
    claimer.now = 0.25 * SHARE
    assert [one.id for one in claimer.claim(100)] == [str(job)]


def test_many_jobs_that_come_late_are_all_found_soon(claimer: Claimer) -> None:
    enqueue_many(claimer.connection, 300)
    claimer.connection.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '2 h'")
    assert claimer.claim(20) == []
    claimer.now = 0.25 * SHARE
    assert [len(claimer.claim(20)) for _ in range(16)] == [20] * 15 + [0]


def test_a_worker_beside_an_old_snapshot_runs_what_was_there_what_comes_and_what_comes_late(
    books: Books, report: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobQueue()
    began_past_the_head: list[Any] = []
    real = claims.claim

    def claim(*asked: Any) -> Statement[Claimed]:
        began_past_the_head.extend(asked[3:] if asked[3:] != (NO_STRETCHES,) else ())
        return real(*asked)

    monkeypatch.setattr(claims, "claim", claim)

    @jobs.task
    async def work() -> None: ...

    async def scenario() -> None:
        work.enqueue_many(books.connection, [{}] * MANY)
        async with running(jobs, books.url):
            await auntil(lambda: books.unfinished() == 0, what="the backlog is done")
            work.enqueue(books.connection)
            work.using(priority=0).enqueue(books.connection)
            assert began_past_the_head
            late = work.using(delay=3600).enqueue(books.connection)
            books.rows(
                "UPDATE jobqueue.jobs SET state = 'available', run_at = now() - interval '2 h' "
                "WHERE id = %s",
                [late.id],
            )
            await auntil(lambda: books.states() == {"completed": MANY + 3}, what="all are done")

    play(scenario())
