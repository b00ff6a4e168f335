"""What a session does to the job of a scene, and what it is told, in a few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from jobqueue import Unique
from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.store import dead_letters, jobs, maintenance, processed, workers
from jobqueue.store.dead_letters import Filter
from tests.races.scene import KEY, NOBODY, Scene
from tests.store import steps
from tests.store.steps import FAILURE, do

Session = psycopg.Connection
Move = Callable[[Session, Scene], str]

NEW_ID = UUID("01980000-0000-7000-8000-000000000000")


# Enqueuers ------------------------------------------------------------------------------------


def _enqueued(session: Session, scene: Scene, **options: Any) -> str:
    chosen = EnqueueOptions().using(UsingOptions(**options))
    [enqueued] = do(session, jobs.enqueue("work", '{"n": 2}', chosen, chosen.keys({})))
    return f"{enqueued.outcome} {scene.name(enqueued.id)}"


def skip(session: Session, scene: Scene) -> str:
    """Enqueue under the unique key, keeping a job that waits."""
    return _enqueued(session, scene, unique=Unique.skip(KEY))


def replace(session: Session, scene: Scene) -> str:
    """Enqueue under the unique key, replacing a job that waits."""
    return _enqueued(session, scene, unique=Unique.replace(KEY))


def put_off(session: Session, scene: Scene) -> str:
    """Enqueue under the unique key for the next hour, replacing a job that waits."""
    return _enqueued(session, scene, unique=Unique.replace(KEY), delay=3600)


def once(session: Session, scene: Scene) -> str:
    """Enqueue under the idempotency key."""
    return _enqueued(session, scene, idempotency_key=KEY)


def same_id(session: Session, scene: Scene) -> str:
    """Enqueue with an id of one's own: the job's, if there is one."""
    job_id = NEW_ID if scene.job == NOBODY else scene.job
    return _enqueued(session, scene, job_id=job_id)


# Workers --------------------------------------------------------------------------------------


def _claim(session: Session, scene: Scene, name: str) -> str:
    claimed = steps.claim(session, scene.workers[name])
    if claimed:
        scene.held[name] = claimed[0]
    return ", ".join(f"{scene.name(job.id)} {job.attempt}" for job in claimed) or "nothing"


def claim_one(session: Session, scene: Scene) -> str:
    """Worker `one` claims what there is."""
    return _claim(session, scene, "one")


def claim_two(session: Session, scene: Scene) -> str:
    """Worker `two` claims what there is."""
    return _claim(session, scene, "two")


def _holder(scene: Scene) -> jobs.Claimed:
    return scene.held.get("one") or scene.held["two"]


def _recorded(stale: list[str]) -> str:
    return "stale" if stale else "recorded"


def complete(session: Session, scene: Scene) -> str:
    """The worker says that the job is done."""
    return _recorded(steps.complete(session, _holder(scene)))


def fail(session: Session, scene: Scene) -> str:
    """The worker says that the job failed and runs again in an hour."""
    return _recorded(steps.reschedule(session, _holder(scene), delay_seconds=3600, error=FAILURE))


def snooze(session: Session, scene: Scene) -> str:
    """The worker says that the job runs again in an hour and nothing counts."""
    return _recorded(steps.reschedule(session, _holder(scene), delay_seconds=3600, refund=True))


def give_back(session: Session, scene: Scene) -> str:
    """The worker says that it has not begun."""
    return _recorded(steps.reschedule(session, _holder(scene), refund=True))


def bury(session: Session, scene: Scene) -> str:
    """The worker says that the job failed for the last time."""
    return _recorded(steps.bury(session, _holder(scene)))


def withdraw(session: Session, scene: Scene) -> str:
    """The worker says that the job cancelled itself."""
    return _recorded(steps.withdraw(session, _holder(scene)))


def hand_back(session: Session, scene: Scene) -> str:
    """Worker `one` hands back all that the books say it runs."""
    return ", ".join(do(session, jobs.hand_back(scene.workers["one"], []))) or "nothing"


def heartbeat(session: Session, scene: Scene) -> str:
    """Worker `one` renews its lease."""
    beat = workers.heartbeat(scene.workers["one"], lease_seconds=60, draining=False)
    return "renewed" if do(session, beat) else "struck off"


def leave(session: Session, scene: Scene) -> str:
    """Worker `one` leaves the books."""
    return "left" if do(session, workers.leave(scene.workers["one"])) else "not there"


def enter(session: Session, scene: Scene) -> str:
    """A third worker enters the books."""
    scene.workers["three"] = steps.register(session, "three")
    return "entered"


def _effects(session: Session, scene: Scene, name: str) -> str:
    job = scene.held[name]
    with session.transaction():
        [begun] = do(session, processed.begin(job))
        if begun.processed:
            return "already done"
        if not begun.held:
            return "lease lost"
        if not begun.alone:
            return "put off"
        session.execute("INSERT INTO public.effects VALUES (%s::uuid)", [job.id])
        [done] = do(session, processed.complete(job, begun.transaction, 0.1, keep=True))
        if done.recorded:
            return "done"
        raise psycopg.Rollback
    return "lease lost"


def effects_one(session: Session, scene: Scene) -> str:
    """Worker `one` makes the job's effects and completes it, in one transaction."""
    return _effects(session, scene, "one")


def effects_two(session: Session, scene: Scene) -> str:
    """Worker `two` makes the job's effects and completes it, in one transaction."""
    return _effects(session, scene, "two")


# The leader -----------------------------------------------------------------------------------


def promote(session: Session, scene: Scene) -> str:
    """Make due jobs available."""
    [promoted] = do(session, maintenance.promote(100))
    return f"{promoted.jobs} promoted"


def rescue(session: Session, scene: Scene) -> str:
    """Take back what workers with an expired lease held."""
    struck_off = do(session, maintenance.rescue())
    told = (
        f"{one.worker}: {one.retried} retried, {one.buried} buried"
        f"{', 1 cancelled' if one.cancelled else ''}"
        for one in struck_off
    )
    return ", ".join(sorted(told)) or "nobody"


def find_orphans(session: Session, scene: Scene) -> str:
    """Make running jobs of vanished workers rescuable."""
    found = do(session, maintenance.rescue_orphans())
    return f"{len(found)} found"


def settle(session: Session, scene: Scene) -> str:
    """Decide about jobs whose key was held, and about those to be cancelled that wait again."""
    [number] = do(session, maintenance.settle(100))
    for _ in ("they are cancelled", "that they were to be is forgotten"):
        do(session, maintenance.cancel_asked())
    return f"{number} settled"


def forget(session: Session, scene: Scene) -> str:
    """Forget keys whose time is over."""
    [number] = do(session, maintenance.forget(30, 100))
    return f"{number} forgotten"


def _in_time(session: Session, statement: Any, what: str) -> str:
    """Do as the leader does, that comes again when somebody is in its way."""
    try:
        [number] = do(session, statement)
    except psycopg.errors.LockNotAvailable:
        return "later"
    return f"{number} {what}"


def drop(session: Session, scene: Scene) -> str:
    """Drop history of more than a week ago."""
    return _in_time(session, maintenance.drop_partitions(7), "dropped")


def make(session: Session, scene: Scene) -> str:
    """Make the history partitions of the coming days."""
    return _in_time(session, maintenance.make_partitions(), "made")


# People ---------------------------------------------------------------------------------------


def cancel(session: Session, scene: Scene) -> str:
    """Cancel the job."""
    return do(session, jobs.cancel(scene.job))[0]


def run_now(session: Session, scene: Scene) -> str:
    """Make the job run now, or put it back when it is dead."""
    return do(session, jobs.retry(scene.job))[0]


def show(session: Session, scene: Scene) -> str:
    """Look at the job."""
    return ", ".join(one.state for one in do(session, jobs.show(scene.job))) or "not there"


def _there(rows: list[str], what: str) -> str:
    return what if rows else "not there"


def redrive(session: Session, scene: Scene) -> str:
    """Put the dead letter back."""
    return _there(do(session, dead_letters.redrive([scene.job])), "redriven")


def redrive_all(session: Session, scene: Scene) -> str:
    """Put all dead letters back."""
    return _there(do(session, dead_letters.redrive_matching(Filter(), limit=10)), "redriven")


def purge(session: Session, scene: Scene) -> str:
    """Delete the dead letter."""
    return _there(do(session, dead_letters.purge([scene.job])), "purged")


def purge_all(session: Session, scene: Scene) -> str:
    """Delete all dead letters."""
    return _there(do(session, dead_letters.purge_matching(Filter(), limit=10)), "purged")


def edit(session: Session, scene: Scene) -> str:
    """Give the dead letter other arguments."""
    return _there(do(session, dead_letters.edit(scene.job, json.dumps({"n": 3}))), "edited")
