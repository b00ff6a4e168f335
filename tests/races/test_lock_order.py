"""Statements about the same several rows take them in one order, so that none is a deadlock.

A third session holds the row in the middle. Each of the two has some of the rows by then and waits
for the rest; the third lets go, and both must come through.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from uuid import UUID

import psycopg
import pytest

from jobqueue.store import dead_letters, jobs, maintenance, workers
from jobqueue.store.claims import Claimed
from tests import waiting
from tests.races.ring import DEADLINE_SECONDS, Ring, session_at
from tests.store import steps
from tests.store.steps import (
    bury,
    claim,
    complete,
    do,
    enqueue,
    expire,
    forget,
    register,
    reschedule,
)

Session = psycopg.Connection
Crowd = list[Claimed]
Act = Callable[[Session, Crowd], object]

IDS = [UUID(int=(0x01980000_0000_7000_8000 << 48) + number) for number in (5, 4, 3, 2, 1)]
"""In the table they stand in this order, in the index in the opposite one."""


def lost_crowd(session: Session) -> Crowd:
    """Jobs that one worker runs, whose lease has expired."""
    for job_id in IDS:
        enqueue(session, job_id=job_id)
    worker = register(session)
    crowd = claim(session, worker)
    expire(session, worker)
    return crowd


def dead_crowd(session: Session) -> Crowd:
    """The same jobs as dead letters."""
    crowd = lost_crowd(session)
    assert bury(session, *crowd) == []
    return crowd


def rescue(session: Session, crowd: Crowd) -> object:
    return do(session, maintenance.rescue())


def completed(session: Session, crowd: Crowd) -> object:
    return complete(session, *crowd)


def failed(session: Session, crowd: Crowd) -> object:
    return reschedule(session, *crowd, delay_seconds=60)


def forgotten(session: Session, crowd: Crowd) -> object:
    return forget(session, *crowd)


def failed_the_other_way_round(session: Session, crowd: Crowd) -> object:
    return reschedule(session, *reversed(crowd), delay_seconds=60)


def buried(session: Session, crowd: Crowd) -> object:
    return bury(session, *crowd)


def buried_the_other_way_round(session: Session, crowd: Crowd) -> object:
    return bury(session, *reversed(crowd))


def redriven(session: Session, crowd: Crowd) -> object:
    return do(session, dead_letters.redrive(IDS))


def redriven_the_other_way_round(session: Session, crowd: Crowd) -> object:
    return do(session, dead_letters.redrive(IDS[::-1]))


def purged(session: Session, crowd: Crowd) -> object:
    return do(session, dead_letters.purge(IDS))


def progressed_the_other_way_round(session: Session, crowd: Crowd) -> object:
    ids, leases = [job.id for job in crowd[::-1]], [job.lease for job in crowd[::-1]]
    return do(session, jobs.progress(ids, leases, [0.5] * len(crowd), [""] * len(crowd)))


def seen(ring: Ring, session: Session, answer: Future[object]) -> bool:
    """Whether it waits, or is through."""
    return answer.done() or bool(ring.blockers(session))


def come_through(ring: Ring, url: str, hold: str, *acts: Callable[[Session], object]) -> None:
    """Start two `acts`, each on a session of its own, while a third holds what it locks first."""
    with session_at(url) as holder, ThreadPoolExecutor(2) as thread:
        with holder.transaction():
            holder.execute(hold.encode())
            answers: list[Future[object]] = []
            for session, act in zip((ring.left, ring.right), acts, strict=True):
                answers.append(thread.submit(act, session))
                waiting.until(partial(seen, ring, session, answers[-1]), what="it is seen")
        for answer in answers:
            answer.result(DEADLINE_SECONDS)


MIDDLE_JOB = f"SELECT FROM jobqueue.jobs WHERE id = '{IDS[2]}' FOR UPDATE"
MIDDLE_LETTER = f"SELECT FROM jobqueue.dead_letters WHERE id = '{IDS[2]}' FOR UPDATE"
MIDDLE_QUEUE = "INSERT INTO jobqueue.queues (name) VALUES ('m')"
MIDDLE_TASK = (
    "INSERT INTO jobqueue.tasks (name, queue, priority, max_attempts) VALUES ('m', 'q', 1, 1)"
)

ALIVE: list[Act] = [
    completed,
    forgotten,
    failed,
    failed_the_other_way_round,
    buried,
    buried_the_other_way_round,
    progressed_the_other_way_round,
]


# Which side of its join an ack follows depends on how many rows the planner expects.
STATISTICS = {"as after a start": (0, -1), "as of an empty table": (50, 0), "as of many": (50, 1e5)}


@pytest.mark.parametrize("statistics", STATISTICS.values(), ids=STATISTICS.keys())
@pytest.mark.parametrize("rescue_first", [False, True], ids=["ack_first", "rescue_first"])
@pytest.mark.parametrize("ack", ALIVE, ids=lambda act: act.__name__)
def test_many_outcomes_and_a_rescue_are_no_deadlock(
    ring: Ring, races_url: str, ack: Act, rescue_first: bool, statistics: tuple[int, float]
):
    ring.looker.execute(
        "UPDATE pg_class SET relpages = %s, reltuples = %s WHERE oid = 'jobqueue.jobs'::regclass",
        statistics,
    )
    crowd = lost_crowd(ring.looker)
    first, second = (rescue, ack) if rescue_first else (ack, rescue)
    come_through(
        ring,
        races_url,
        MIDDLE_JOB,
        lambda session: first(session, crowd),
        lambda session: second(session, crowd),
    )
    gone = ack is forgotten and not rescue_first
    assert sum(steps.states(ring.looker).values()) == (0 if gone else len(IDS))


@pytest.mark.parametrize("second", [purged, redriven_the_other_way_round], ids=lambda a: a.__name__)
@pytest.mark.parametrize(
    "first", [redriven, redriven_the_other_way_round], ids=lambda a: a.__name__
)
def test_many_dead_letters_redriven_and_purged_at_once_are_no_deadlock(
    ring: Ring, races_url: str, first: Act, second: Act
):
    crowd = dead_crowd(ring.looker)
    come_through(
        ring,
        races_url,
        MIDDLE_LETTER,
        lambda session: first(session, crowd),
        lambda session: second(session, crowd),
    )
    assert steps.states(ring.looker) == {"available": len(IDS)}


NAMES = ["a", "m", "z"]


def enter(session: Session, names: list[str]) -> object:
    """Enter a worker that serves these queues."""
    queues = dict.fromkeys(names, 1)
    return do(
        session,
        workers.register(name="w", hostname="h", pid=1, queues=queues, lease_seconds=60),
    )


def note(session: Session, names: list[str]) -> object:
    """Note the defaults of these tasks."""
    tasks = [{"name": name, "queue": "q", "priority": 1, "max_attempts": 1} for name in names]
    return do(session, workers.register_tasks(json.dumps(tasks)))


@pytest.mark.parametrize(
    ("act", "middle"), [(enter, MIDDLE_QUEUE), (note, MIDDLE_TASK)], ids=["queues", "tasks"]
)
def test_workers_that_arrive_with_the_same_new_names_in_another_order_are_no_deadlock(
    ring: Ring, races_url: str, act: Callable[[Session, list[str]], object], middle: str
):
    come_through(
        ring,
        races_url,
        middle,
        lambda session: act(session, NAMES),
        lambda session: act(session, NAMES[::-1]),
    )
    names = ring.looker.execute(
        "SELECT name FROM jobqueue.queues UNION SELECT name FROM jobqueue.tasks"
    )
    assert {name for (name,) in names} == set(NAMES)
