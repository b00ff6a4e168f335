"""Rules: what people do to one job, and to dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from hypothesis.stateful import precondition, rule

from jobqueue.core.states import Event, State
from jobqueue.store import dead_letters, jobs
from jobqueue.store.dead_letters import Filter
from jobqueue.store.statement import Statement
from tests.model.machine import Ends, Machine, ends, picks, sessions, when
from tests.model.world import Job, Locks, Mode, Thing, Transaction, moved

Row = TypeVar("Row")

WAITING = (State.SCHEDULED, State.AVAILABLE, State.BLOCKED)

have_jobs = precondition(lambda self: self.ids)
have_dead = when(lambda job: job.state is State.DEAD)


def redriven(job: Job) -> Job:
    """Give a dead letter that was put back: fresh attempts, its past errors kept."""
    state = moved(job, Event.REDRIVE)
    return replace(job, state=state, attempt=0, worker=None, due=True, rows=job.rows + 1)


class HandRules(Machine):
    """What people do.

    there: the requests to cancel that a statement about dead letters found when it started.
    """

    there: Sequence[int] = ()

    def act(
        self,
        name: str,
        by: Transaction,
        job_id: UUID,
        statement: Statement[Row],
        *,
        fits: Callable[[Job], bool],
        how: Ends,
    ) -> tuple[list[Row], Job | None]:
        """Do something to a job if it fits. Gives what is told, and the job as it then is."""

        def wants() -> Locks:
            job = self.job(by, job_id)
            return {Thing("job", job_id): Mode.WRITE} if job is not None and fits(job) else {}

        told = self.perform(name, by, statement, wants, how)
        return told, self.job(by, job_id)

    @have_jobs
    @rule(name=sessions, pick=picks, how=ends)
    def cancel(self, name: str, pick: int, how: Ends) -> None:
        by = self.begin(name)
        job_id = self.choose_job(name, pick, *WAITING, State.RUNNING)
        [told], job = self.act(
            name, by, job_id, jobs.cancel(job_id), fits=lambda job: job.state in WAITING, how=how
        )
        if job is None:
            assert told == "unknown"
        elif job.state in WAITING:
            assert told == "cancelled"
            by.put(replace(job, state=moved(job, Event.CANCEL), unique=None, contested=None))
        elif job.state is State.RUNNING:
            assert told == "asked"
            by.requests[self.next_number()] = job_id
        else:
            assert told == "ended"
        self.done(name, by)

    @have_jobs
    @rule(name=sessions, pick=picks, how=ends)
    def retry(self, name: str, pick: int, how: Ends) -> None:
        by = self.begin(name)
        job_id = self.choose_job(name, pick, State.SCHEDULED, State.DEAD)
        there = [*self.world.requests_seen(by)]
        [told], job = self.act(
            name, by, job_id, jobs.retry(job_id),
            fits=lambda job: job.state in {State.SCHEDULED, State.DEAD}, how=how,
        )  # fmt: skip
        if told == "redriven":
            self.world.forget_requests(by, lambda one: one == job_id, there)
        if job is None:
            assert told == "unknown"
        elif job.state is State.SCHEDULED:
            assert told == "available"
            by.put(replace(job, state=moved(job, Event.RUN_NOW), due=True))
        elif job.state is State.DEAD:
            assert told == "redriven"
            by.put(redriven(job))
        else:
            assert told == ("ended" if job.state.ended else job.state.value)
        self.done(name, by)

    # Dead letters -------------------------------------------------------------------------------

    def to_dead_letter(
        self,
        name: str,
        pick: int,
        how: Ends,
        statement: Callable[[UUID], Statement[str]],
        change: Callable[[Transaction, Job], None],
    ) -> None:
        """Do something to a dead letter, if it is one."""
        by = self.begin(name)
        job_id = self.choose_job(name, pick, State.DEAD)
        self.there = [*self.world.requests_seen(by)]
        told, job = self.act(
            name, by, job_id, statement(job_id),
            fits=lambda job: job.state is State.DEAD, how=how,
        )  # fmt: skip
        dead = job is not None and job.state is State.DEAD
        assert told == ([str(job_id)] if dead else [])
        if job is not None and dead:
            change(by, job)
        self.done(name, by)

    @have_dead
    @rule(name=sessions, pick=picks, how=ends)
    def redrive(self, name: str, pick: int, how: Ends) -> None:
        self.to_dead_letter(
            name, pick, how,
            lambda job_id: dead_letters.redrive([job_id]), self.put_back,
        )  # fmt: skip

    def put_back(self, by: Transaction, job: Job) -> None:
        """Note that a dead letter was redriven; what was asked of it before is forgotten."""
        self.world.forget_requests(by, lambda one: one == job.id, self.there)
        by.put(redriven(job))

    @have_dead
    @rule(name=sessions, pick=picks, how=ends)
    def purge(self, name: str, pick: int, how: Ends) -> None:
        def gone(by: Transaction, job: Job) -> None:
            by.put(job)
            by.jobs[job.id] = None

        self.to_dead_letter(name, pick, how, lambda job_id: dead_letters.purge([job_id]), gone)

    @have_dead
    @rule(name=sessions, pick=picks, how=ends)
    def edit(self, name: str, pick: int, how: Ends) -> None:
        number = self.next_number()
        self.to_dead_letter(
            name, pick, how,
            lambda job_id: dead_letters.edit(job_id, json.dumps({"n": number})),
            lambda by, job: by.put(replace(job, number=number)),
        )  # fmt: skip

    @have_dead
    @rule(name=sessions)
    def redrive_all(self, name: str) -> None:
        by = self.begin(name)
        self.there = [*self.world.requests_seen(by)]
        told = self.perform(name, by, dead_letters.redrive_matching(Filter(), limit=100), dict, {})
        found = [
            job
            for job in self.world.which(by, lambda job: job.state is State.DEAD)
            if not self.world.held(by, "job", job.id, Mode.WRITE)
        ]
        assert sorted(told) == sorted(str(job.id) for job in found)
        for job in found:
            self.put_back(by, job)
        self.done(name, by)
