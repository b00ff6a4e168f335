"""A worker leaves, or is struck off, while a claim of its own is still under way."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.lease import Lease
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.rescue import Rescue
from tests import waiting
from tests.races import scene
from tests.races.moves import claim_one, find_orphans, leave, rescue
from tests.races.ring import DEADLINE_SECONDS, Ring
from tests.store.steps import expire


async def leave_in_order(url: str, worker: int) -> None:
    """Leave as a worker does that has nothing in hand."""
    link = Link(url, "leaving")
    settings = WorkerSettings(queues={"default": 1})
    lease = Lease(link, settings, [], lost=lambda: None, renewed=lambda: None, lost_slots=int)
    lease.worker_id = worker
    try:
        await lease.leave(set())
    finally:
        await link.close()


ASKING = (
    "SELECT FROM pg_stat_activity WHERE application_name = 'jobqueue leaving' "
    "AND datname = current_database() AND query LIKE '%pg_try_advisory_xact_lock%'"
)


@pytest.mark.parametrize("commit", [True, False], ids=["commit", "rollback"])
def test_a_worker_that_leaves_during_its_own_claim_takes_no_job_along(
    ring: Ring, races_url: str, commit: bool
):
    meeting = scene.waiting(ring.looker)
    with ThreadPoolExecutor(1) as thread:
        with ring.left.transaction(force_rollback=not commit):
            assert claim_one(ring.left, meeting) == "job 1"
            left = thread.submit(asyncio.run, leave_in_order(races_url, meeting.workers["one"]))
            waiting.until(
                lambda: ring.looker.execute(ASKING).fetchall() != [], what="it asks for its claim"
            )
            assert not left.done()
        left.result(DEADLINE_SECONDS)
    assert rescue(ring.looker, meeting) == "nobody"
    assert scene.standing(ring.looker, meeting) == "available 0"


def test_a_job_whose_worker_was_struck_off_all_the_same_is_found(ring: Ring):
    meeting = scene.orphaned(ring.looker)
    assert rescue(ring.looker, meeting) == "nobody"
    assert find_orphans(ring.looker, meeting) == "1 found"
    assert rescue(ring.right, meeting).endswith("1 retried, 0 buried")
    assert scene.standing(ring.looker, meeting) == "available 1"


async def ticks(url: str, duty: Rescue, number: int) -> None:
    """Let the leader rescue so many times, as it does each second."""
    link = Link(url, "leads")
    try:
        for _ in range(number):
            await duty(link)
    finally:
        await link.close()


def test_a_claim_in_the_moment_of_a_rescue_is_taken_back_at_one_of_the_next_ticks(
    ring: Ring, races_url: str
):
    """Committed after the rescue took its snapshot, before it looked at the worker's row.

    That moment cannot be forced from outside; this is what it leaves behind.
    """
    duty = Rescue()
    asyncio.run(ticks(races_url, duty, 1))
    meeting = scene.waiting(ring.looker)
    assert claim_one(ring.left, meeting) == "job 1"
    assert leave(ring.left, meeting) == "left"
    expire(ring.looker, meeting.workers["two"])
    asyncio.run(ticks(races_url, duty, 3))
    assert scene.standing(ring.looker, meeting) == "available 1"
