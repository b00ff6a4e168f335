"""Rules: what the leader does, and the time that passes for it to have something to do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis.stateful import precondition, rule

from jobqueue.core.states import Event, State
from jobqueue.store import maintenance
from tests.model.keys import HIGHEST, decide, meets_a_locked_row, write
from tests.model.machine import Ends, Machine, ends, picks, sessions, when
from tests.model.world import Ask, Job, Locks, Mode, Thing, Transaction, moved

HISTORY_DAYS = 7


class LeaderRules(Machine):
    """What the leader does, and time."""

    @when(lambda job: job.state is State.SCHEDULED and job.due)
    @rule(name=sessions)
    def promote(self, name: str) -> None:
        by = self.begin(name)
        [told] = self.perform(name, by, maintenance.promote(100), dict, {})
        found = [
            job
            for job in self.world.which(by, lambda job: job.state is State.SCHEDULED and job.due)
            if not self.world.held(by, "job", job.id, Mode.WRITE)
        ]
        assert told.jobs == len(found)
        for job in found:
            by.put(replace(job, state=moved(job, Event.PROMOTE)))
        self.done(name, by)

    @rule(name=sessions, how=ends)
    def rescue(self, name: str, how: Ends) -> None:
        by = self.begin(name)
        lost = [
            one
            for one in self.world.workers_seen(by).values()
            if one.expired and not self.world.held(by, "worker", one.id, Mode.WRITE)
        ]

        def fits(job: Job) -> bool:
            return job.state is State.RUNNING and job.worker in {one.id for one in lost}

        found = [job.id for job in self.world.which(by, fits)]

        def fitting() -> list[Job]:
            return [job for one in found if (job := self.job(by, one)) and fits(job)]

        def wants() -> Locks:
            return {Thing("job", job.id): Mode.WRITE for job in fitting()}

        asked = self.world.asked(by)
        told = self.perform(name, by, maintenance.rescue(), wants, how)
        expected = {one.name: {Event.RESCUE: 0, Event.BURY: 0, Event.CANCEL: 0} for one in lost}
        for job in fitting():
            worker = self.world.workers_seen(by)[job.worker or 0]
            event = Event.BURY if job.attempt >= job.max_attempts else Event.RESCUE
            if job.id in asked:
                event = Event.CANCEL
            expected[worker.name][event] += 1
            by.put(self.rescued(job, event))
        assert {one.worker: list(one[1:]) for one in told} == {
            name: list(numbers.values()) for name, numbers in expected.items()
        }
        for one in lost:
            by.workers[one.id] = None
            by.lock(Thing("worker", one.id), Mode.WRITE)
        self.done(name, by)

    def rescued(self, job: Job, event: Event) -> Job:
        """Give a job whose worker was struck off."""
        worker = None if event is Event.RESCUE else job.worker
        state = moved(job, event)
        return replace(job, state=state, worker=worker, lease=None, errors=job.errors + 1)

    @precondition(lambda self: self.world.requests)
    @rule(name=sessions)
    def cancel_asked(self, name: str) -> None:
        """Cancel jobs that wait although somebody asked to cancel them while they ran."""
        by = self.begin(name)
        seen = self.world.jobs_seen(by)
        alive = {job.id for job in seen.values() if job.place == "jobs"}
        waiting = [
            seen[job_id]
            for job_id in self.world.asked(by) & alive
            if seen[job_id].state is not State.RUNNING
            and not self.world.held(by, "job", job_id, Mode.WRITE)
        ]
        [told] = self.perform(name, by, maintenance.cancel_asked(), dict, {})
        assert told == len(waiting)
        for job in waiting:
            by.put(replace(job, state=moved(job, Event.CANCEL), unique=None, contested=None))
        there = [*self.world.requests_seen(by)]
        self.world.forget_requests(by, lambda job_id: job_id not in alive, there)
        self.done(name, by)

    # Keys ---------------------------------------------------------------------------------------

    @when(lambda job: job.contested is not None)
    @rule(name=sessions)
    def settle(self, name: str) -> None:
        by = self.begin(name)
        blocked = self.world.which(by, lambda job: job.contested is not None)
        if any(job.contested and self.undecidable(by, job.contested) for job in blocked):
            return
        [told] = self.perform(name, by, maintenance.settle(100), dict, {})
        if blocked:
            by.highest_key = HIGHEST
        free = [job for job in blocked if not self.world.held(by, "job", job.id, Mode.WRITE)]
        assert told == sum(self.decided(by, job) for job in sorted(free, key=lambda job: job.id))
        self.done(name, by)

    def undecidable(self, by: Transaction, ask: Ask) -> bool:
        """Whether somebody has a row locked that is needed; how long is not for a model to say."""
        locked = ask.once is not None and self.world.held(by, "once", ask.once, Mode.WRITE)
        return locked or meets_a_locked_row(self.world, by, ask)

    def decided(self, by: Transaction, job: Job) -> bool:
        """Decide about a contested job; False: it stays contested."""
        assert job.contested is not None
        ask = replace(job.contested, later=not job.due)
        made = decide(self.world, by, ask, job.id)
        assert not made.waits_for
        write(self.world, by, ask, made, job.id)
        if made.job_id is not None:
            by.put(replace(job, state=State.CANCELLED, contested=None, errors=1))
        else:
            by.put(replace(by.jobs[job.id] or job, rows=job.rows + 1))
        return made.outcome != "contested"

    @precondition(lambda self: any(one.expired for one in self.world.once.values()))
    @rule(name=sessions)
    def forget(self, name: str) -> None:
        by = self.begin(name)
        [told] = self.perform(name, by, maintenance.forget(30, 100), dict, {})
        over = [
            key
            for key, one in self.world.once_seen(by).items()
            if one.expired and not self.world.held(by, "once", key, Mode.WRITE)
        ]
        assert told == len(over)
        for key in over:
            by.once[key] = None
            by.lock(Thing("once", key), Mode.WRITE)
        self.done(name, by)

    # Time ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.once)
    @rule(pick=picks)
    def key_expires(self, pick: int) -> None:
        found = [
            key
            for key, one in self.world.once.items()
            if not one.expired and self.untouched(Thing("once", key))
        ]
        if found:
            key = found[pick % len(found)]
            self.stage.solo.execute(
                "UPDATE jobqueue.idempotency_keys SET expires_at = now() - interval '1 hour' "
                "WHERE key = %s",
                [key],
            )
            self.world.once[key] = replace(self.world.once[key], expired=True)

    @when(lambda job: not job.due and not job.state.ended)
    @rule(pick=picks)
    def time_comes(self, pick: int) -> None:
        """A job that waits for its time is due."""
        found = [
            job
            for job in self.world.jobs.values()
            if not job.due
            and job.state in {State.SCHEDULED, State.BLOCKED}
            and self.untouched(Thing("job", job.id))
        ]
        if found:
            job = found[pick % len(found)]
            self.stage.solo.execute(
                "UPDATE jobqueue.jobs SET run_at = now() - interval '1 hour' WHERE id = %s",
                [job.id],
            )
            self.world.jobs[job.id] = replace(job, due=True)

    @when(lambda job: job.place == "job_history")
    @rule(pick=picks)
    def grows_old(self, pick: int) -> None:
        """A job in history has ended long ago."""
        found = [job for job in self.world.jobs.values() if job.place == "job_history"]
        if found:
            job = found[pick % len(found)]
            self.stage.solo.execute(
                "UPDATE jobqueue.job_history SET finished_at = now() - interval '9 days' "
                "WHERE id = %s",
                [job.id],
            )
            self.world.jobs[job.id] = replace(job, old=True)

    @when(lambda job: job.old)
    @rule()
    def prune(self) -> None:
        self.perform("solo", Transaction(), maintenance.drop_partitions(HISTORY_DAYS), dict, {})
        self.world.jobs = {one: job for one, job in self.world.jobs.items() if not job.old}
