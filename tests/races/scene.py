"""What there is when two statements meet, and what there is afterwards, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from jobqueue import Unique
from jobqueue.store import jobs, maintenance
from jobqueue.store.claims import Claimed
from tests.store.steps import (
    bury,
    claim,
    complete,
    do,
    enqueue,
    expire,
    register,
)

KEY = "k"
NOBODY = UUID(int=0)


@dataclass
class Scene:
    """One job, and who knows of it.

    held: the claims that workers `one` and `two` believe to have, by the worker's name.
    """

    workers: dict[str, int]
    job: UUID = NOBODY
    held: dict[str, Claimed] = field(default_factory=dict[str, Claimed])

    def name(self, job_id: UUID | str) -> str:
        """Name a job as a reader of the tests does."""
        return "job" if str(job_id) == str(self.job) else "new"


MakeScene = Callable[[psycopg.Connection], Scene]


def empty(session: psycopg.Connection) -> Scene:
    """Two workers, and nothing to do."""
    return Scene({name: register(session, name) for name in ("one", "two")})


def waiting(session: psycopg.Connection) -> Scene:
    """The job is available."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}')
    return scene


def later(session: psycopg.Connection) -> Scene:
    """The job is due in an hour."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}', delay=3600)
    return scene


def due(session: psycopg.Connection) -> Scene:
    """The job is due, and not promoted yet."""
    scene = later(session)
    session.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '1 minute'")
    return scene


def running(session: psycopg.Connection, attempts: int = 5) -> Scene:
    """The job is run by `one`."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}', attempts=attempts)
    [scene.held["one"]] = claim(session, scene.workers["one"])
    return scene


def asked(session: psycopg.Connection, attempts: int = 5) -> Scene:
    """The job is run by `one`, and somebody has asked to cancel it."""
    scene = running(session, attempts)
    assert do(session, jobs.cancel(scene.job)) == ["asked"]
    return scene


def asked_and_lost(session: psycopg.Connection) -> Scene:
    """The same, and the lease of `one` has expired."""
    scene = asked(session)
    expire(session, scene.workers["one"])
    return scene


def lost(session: psycopg.Connection) -> Scene:
    """The job is run by `one`, whose lease has expired."""
    scene = running(session)
    expire(session, scene.workers["one"])
    return scene


def lost_last(session: psycopg.Connection) -> Scene:
    """The same, and it is the job's last attempt."""
    scene = running(session, attempts=1)
    expire(session, scene.workers["one"])
    return scene


def orphaned(session: psycopg.Connection) -> Scene:
    """The job is run by `one`, whose row somebody deleted by hand."""
    scene = running(session)
    session.execute("DELETE FROM jobqueue.workers WHERE id = %s", [scene.workers["one"]])
    return scene


def delivered_twice(session: psycopg.Connection) -> Scene:
    """The job was taken from `one`, which does not know it, and is run by `two`."""
    scene = lost(session)
    do(session, maintenance.rescue())
    [scene.held["two"]] = claim(session, scene.workers["two"])
    return scene


def silent(session: psycopg.Connection) -> Scene:
    """Nothing to do, and the lease of `one` has expired."""
    scene = empty(session)
    expire(session, scene.workers["one"])
    return scene


def dead(session: psycopg.Connection) -> Scene:
    """The job is a dead letter."""
    scene = running(session)
    assert bury(session, scene.held["one"]) == []
    return scene


def redriven(session: psycopg.Connection) -> Scene:
    """The job was a dead letter, and is available again."""
    scene = dead(session)
    assert do(session, jobs.retry(scene.job)) == ["redriven"]
    return scene


def keyed(session: psycopg.Connection) -> Scene:
    """The job is available, under a unique key."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}', unique=Unique.skip(KEY))
    return scene


def keyed_later(session: psycopg.Connection) -> Scene:
    """The job is due in an hour, and has a unique key."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}', unique=Unique.skip(KEY), delay=3600)
    return scene


def keyed_due(session: psycopg.Connection) -> Scene:
    """The job is due, has a unique key, and is not promoted yet."""
    scene = keyed_later(session)
    session.execute("UPDATE jobqueue.jobs SET run_at = now() - interval '1 minute'")
    return scene


def once(session: psycopg.Connection) -> Scene:
    """The job has ended; its idempotency key is still in use."""
    scene = empty(session)
    scene.job = enqueue(session, args='{"n": 1}', idempotency_key=KEY)
    assert complete(session, *claim(session, scene.workers["one"])) == []
    return scene


def once_over(session: psycopg.Connection) -> Scene:
    """The job has ended, and the time of its idempotency key is over."""
    scene = once(session)
    session.execute("UPDATE jobqueue.idempotency_keys SET expires_at = now() - interval '1 hour'")
    return scene


def contested(session: psycopg.Connection) -> Scene:
    """The job could not have its key when it was enqueued, and the leader is to decide about it."""
    return _contested(session, Unique.replace(KEY))


def contested_skip(session: psycopg.Connection) -> Scene:
    """The same, and it keeps a job that waits."""
    return _contested(session, Unique.skip(KEY))


def _contested(session: psycopg.Connection, unique: Unique) -> Scene:
    scene = empty(session)
    with session.transaction():
        # What a transaction finds that has taken as many keys as one may.
        session.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
        scene.job = enqueue(session, args='{"n": 1}', unique=unique)
    assert do(session, jobs.show(scene.job))[0].state == "blocked"
    return scene


def old(session: psycopg.Connection) -> Scene:
    """The job ended nine days ago; another is run by `two`."""
    scene = running(session)
    session.execute(MAKE_OLD_PARTITION)
    assert complete(session, scene.held.pop("one")) == []
    session.execute("UPDATE jobqueue.job_history SET finished_at = now() - interval '9 days'")
    enqueue(session, args='{"n": 2}')
    [scene.held["two"]] = claim(session, scene.workers["two"])
    return scene


def unpartitioned(session: psycopg.Connection) -> Scene:
    """The job is run by `one`, and today's history has no partition yet."""
    scene = running(session)
    session.execute("SELECT jobqueue.drop_history_partitions(now() + interval '1 day')")
    return scene


MAKE_OLD_PARTITION = """
DO $$
DECLARE
    day timestamptz := date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
        - interval '9 days';
BEGIN
    EXECUTE format(
        'CREATE TABLE jobqueue.%I PARTITION OF jobqueue.job_history FOR VALUES FROM (%L) TO (%L)',
        'job_history_' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD'), day, day + interval '1 day');
END $$
"""


def described(session: psycopg.Connection, scene: Scene) -> tuple[str, ...]:
    """Say what there is: each job with the table it is in, workers, keys and effects."""
    lines: list[str] = []
    for place, job_id, state, attempt, worker, kinds, args, keyed_ in session.execute(EVERYTHING):
        held = "".join(f" by {name}" for name, one in scene.workers.items() if one == worker)
        lines.append(
            f"{scene.name(job_id)} in {place}: {state} {attempt}{held}, args {args}"
            f"{f', errors {kinds}' if kinds else ''}{', keyed' if keyed_ else ''}"
        )
    for (worker,) in session.execute("SELECT id FROM jobqueue.workers"):
        lines += [f"worker {name}" for name, one in scene.workers.items() if one == worker]
    for (job_id,) in session.execute("SELECT job_id FROM jobqueue.idempotency_keys"):
        lines.append(f"key of {scene.name(job_id)}")
    for (job_id,) in session.execute("SELECT job_id FROM jobqueue.processed_ids"):
        lines.append(f"{scene.name(job_id)} processed")
    for (job_id,) in session.execute("SELECT DISTINCT job_id FROM jobqueue.cancel_requests"):
        lines.append(f"{scene.name(job_id)} is to be cancelled")
    for (job_id,) in session.execute("SELECT job_id FROM public.effects"):
        lines.append(f"effect of {scene.name(job_id)}")
    return tuple(sorted(lines))


EVERYTHING = """
SELECT place, id, state, attempt, worker_id,
       (SELECT string_agg(error ->> 'error', ',') FROM jsonb_array_elements(errors) AS error),
       args, keyed
FROM (
    SELECT 'jobs' AS place, id, state, attempt, worker_id, errors, args,
           unique_hash IS NOT NULL AS keyed
    FROM jobqueue.jobs
    UNION ALL
    SELECT 'job_history', id, state, attempt, worker_id, errors, args, false
    FROM jobqueue.job_history
    UNION ALL
    SELECT 'dead_letters', id, 'dead', attempt, worker_id, errors, args, false
    FROM jobqueue.dead_letters
) AS job
"""


def standing(session: psycopg.Connection, scene: Scene) -> str:
    """Give the job's state and attempts, as `running 1`; fail if it is in two places."""
    found = do(session, jobs.show(scene.job))
    assert len(found) <= 1, f"in {len(found)} places: {found}"
    return f"{found[0].state} {found[0].attempt}" if found else "gone"
