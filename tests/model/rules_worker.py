"""Rules: what workers do, in time, too late, and twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from jobqueue.core.states import Event, State
from jobqueue.store import claims, jobs, workers
from jobqueue.store.claims import Claimed
from jobqueue.store.statement import Statement
from tests.model.machine import Ends, Machine, ends, picks, sessions
from tests.model.stage import TASK
from tests.model.world import Job, Locks, Mode, Thing, Transaction, moved
from tests.store.steps import FAILURE, outcomes

MOST_WORKERS = 3

have_claims = precondition(lambda self: self.claims)


def at_once(job: Job, *, attempt: int, errors: int) -> Job:
    """Give a job that is handed back, or that failed and runs again at once."""
    return replace(
        job, state=moved(job, Event.HAND_BACK), due=True, worker=None, lease=None,
        attempt=attempt, errors=errors,
    )  # fmt: skip


def in_an_hour(job: Job, *, attempt: int, errors: int) -> Job:
    """Give a job that failed, or was snoozed."""
    return replace(
        job, state=moved(job, Event.RESCHEDULE), due=False, worker=None, lease=None,
        attempt=attempt, errors=errors,
    )  # fmt: skip


def cancelled(job: Job, *, attempt: int, errors: int) -> Job:
    """Give a job that was to be cancelled and whose attempt has ended."""
    state = moved(job, Event.CANCEL)
    return replace(job, state=state, lease=None, attempt=attempt, errors=errors)


class WorkerRules(Machine):
    """What workers do."""

    def choose_worker(self, pick: int, by: Transaction) -> int:
        seen = self.world.workers_seen(by)
        alive = [one.id for one in seen.values() if not one.expired]
        return self.choose(pick, alive, list(range(1, 1 + max([*self.world.workers, 1]))))

    @rule(name=sessions, pick=picks, limit=st.sampled_from([1, 2, 100]), how=ends)
    def claim(self, name: str, pick: int, limit: int, how: Ends) -> None:
        by = self.begin(name)
        worker = self.choose_worker(pick, by)
        statement = claims.claim(worker, {"default": limit}, [TASK])
        told = claims.look(self.perform(name, by, statement, dict, how)).jobs
        if self.world.held(by, "worker", worker, Mode.KEY):
            # It is being struck off. A worker's claim is a transaction of its own, so what it
            # locked in vain is free again.
            assert told == []
            if name in self.world.open:
                self.end(name, commit=False)
            return
        free: dict[str, Job] = {}
        seen = self.world.workers_seen(by).get(worker)
        if seen is not None and not seen.expired:
            found = self.world.which(by, lambda job: job.state is State.AVAILABLE)
            free = {
                str(job.id): job
                for job in found
                if not self.world.held(by, "job", job.id, Mode.WRITE)
            }
        assert len(told) == min(limit, len(free))
        assert len({one.lease for one in told}) <= 1
        if told:
            by.lock(Thing("worker", worker), Mode.KEY)
        for one in told:
            self.take(by, worker, free[one.id], one)
        self.claims += told
        self.done(name, by)

    def take(self, by: Transaction, worker: int, job: Job, told: Claimed) -> None:
        """Check what the worker is told of a job it claimed."""
        assert told.lease not in {one.lease for one in self.claims}
        assert (told.attempt, told.max_attempts) == (job.attempt + 1, job.max_attempts)
        assert told.args == f'{{"n": {job.number}}}'
        state = moved(job, Event.CLAIM)
        by.put(
            replace(
                job, state=state, attempt=told.attempt, worker=worker, lease=told.lease, unique=None
            )
        )

    # Outcomes -----------------------------------------------------------------------------------

    def outcome(
        self,
        name: str,
        pick: int,
        how: Ends,
        statement: Callable[[Claimed], Statement[str]],
        ended: Callable[[Job, bool], Job],
    ) -> None:
        """Send an outcome, and check whether it is taken.

        ended: what becomes of the job, which may be one that is to be cancelled.
        """
        by = self.begin(name)
        asked = self.world.asked(by)

        def running(one: Claimed) -> Job | None:
            job = self.job(by, one.id)
            return job if job is not None and job.lease == one.lease else None

        claimed = self.choose(pick, [one for one in self.claims if running(one)], self.claims)

        def wants() -> Locks:
            job = running(claimed)
            return {Thing("job", job.id): Mode.WRITE} if job else {}

        stale = self.perform(name, by, statement(claimed), wants, how)
        job = running(claimed)
        assert stale == ([] if job else [claimed.id])
        if job:
            by.put(ended(job, job.id in asked))
        self.done(name, by)

    @have_claims
    @rule(name=sessions, pick=picks, how=ends)
    def complete(self, name: str, pick: int, how: Ends) -> None:
        self.outcome(
            name, pick, how,
            lambda one: jobs.ack_completed(f"{{{one.id}}}", f"{{{one.lease}}}", "{1}"),
            lambda job, _: replace(job, state=moved(job, Event.COMPLETE), lease=None),
        )  # fmt: skip

    @have_claims
    @rule(name=sessions, pick=picks, later=st.booleans(), counts=st.booleans(), how=ends)
    def reschedule(self, name: str, pick: int, later: bool, counts: bool, how: Ends) -> None:
        """A failure that counts and leaves an error, or a snooze or a return that does not."""

        def statement(one: Claimed) -> Statement[str]:
            error = FAILURE if counts else None
            delay = 3600 if later else 0
            return jobs.ack_rescheduled(
                outcomes(one, delay_seconds=delay, refund=not counts, error=error)
            )

        def ended(job: Job, asked: bool) -> Job:
            again = cancelled if asked else in_an_hour if later else at_once
            return again(job, attempt=job.attempt - (not counts), errors=job.errors + counts)

        self.outcome(name, pick, how, statement, ended)

    @have_claims
    @rule(name=sessions, pick=picks, how=ends)
    def bury(self, name: str, pick: int, how: Ends) -> None:
        self.outcome(
            name, pick, how,
            lambda one: jobs.ack_dead(outcomes(one, error=FAILURE)),
            lambda job, asked: replace(
                job,
                state=moved(job, Event.CANCEL if asked else Event.BURY),
                lease=None,
                errors=job.errors + 1,
            ),
        )  # fmt: skip

    @have_claims
    @rule(name=sessions, pick=picks, how=ends)
    def withdraw(self, name: str, pick: int, how: Ends) -> None:
        self.outcome(
            name, pick, how,
            lambda one: jobs.ack_cancelled(outcomes(one, error=FAILURE)),
            lambda job, _: cancelled(job, attempt=job.attempt, errors=job.errors + 1),
        )  # fmt: skip

    @rule(name=sessions, pick=picks, knows=st.integers(0, 2), how=ends)
    def hand_back(self, name: str, pick: int, knows: int, how: Ends) -> None:
        by = self.begin(name)
        worker = self.choose_worker(pick, by)
        claims = sorted((one.lease, one.id) for one in self.claims)
        known = (
            [(job_id, lease) for lease, job_id in claims[len(claims) - knows :]] if knows else []
        )

        def fits(job: Job) -> bool:
            unknown = (str(job.id), job.lease) not in known
            return job.state is State.RUNNING and job.worker == worker and unknown

        # Decided when it starts: what comes to fit while it waits is not seen.
        asked = self.world.asked(by)
        found = [job.id for job in self.world.which(by, fits)]

        def fitting() -> list[Job]:
            return [job for one in found if (job := self.job(by, one)) and fits(job)]

        def wants() -> Locks:
            return {Thing("job", job.id): Mode.WRITE for job in fitting()}

        told = self.perform(name, by, jobs.hand_back(worker, known), wants, how)
        held = fitting()
        assert told == ["default"] * sum(job.id not in asked for job in held)
        for job in held:
            end = cancelled if job.id in asked else at_once
            by.put(end(job, attempt=job.attempt - 1, errors=job.errors))
        self.done(name, by)

    @rule(name=sessions, pick=picks)
    def hear_what_is_to_be_cancelled(self, name: str, pick: int) -> None:
        by = self.begin(name)
        worker = self.choose_worker(pick, by)
        told = self.perform(name, by, workers.cancel_requests(worker), dict, {})
        asked = self.world.asked(by)
        held = self.world.which(by, lambda job: job.worker == worker and job.id in asked)
        running = [job for job in held if job.state is State.RUNNING]
        assert sorted(told) == sorted((str(job.id), job.lease) for job in running)
        self.done(name, by)

    # The books ----------------------------------------------------------------------------------

    @rule(name=sessions, pick=picks, how=ends)
    def heartbeat(self, name: str, pick: int, how: Ends) -> None:
        by = self.begin(name)
        worker = self.choose_worker(pick, by)
        row = Thing("worker", worker)

        def wants() -> Locks:
            return {row: Mode.BEAT} if worker in self.world.workers_seen(by) else {}

        beat = workers.heartbeat(worker, lease_seconds=3600, draining=False)
        told = self.perform(name, by, beat, wants, how)
        seen = self.world.workers_seen(by).get(worker)
        assert told == ([worker] if seen else [])
        if seen:
            by.workers[worker] = replace(seen, expired=False)
            by.lock(row, Mode.BEAT)
        self.done(name, by)
        if not seen:
            self.enter()

    def enter(self) -> None:
        """Let a worker enter anew, unless there are enough."""
        if len(self.world.workers) < MOST_WORKERS:
            self.add_worker()

    @rule(name=sessions, pick=picks, how=ends)
    def leave(self, name: str, pick: int, how: Ends) -> None:
        by = self.begin(name)
        worker = self.choose_worker(pick, by)
        if any(
            job.state is State.RUNNING and job.worker == worker for job in self.world.everywhere()
        ):
            return  # it does not leave while it has something in hand
        row = Thing("worker", worker)

        def wants() -> Locks:
            return {row: Mode.WRITE} if worker in self.world.workers_seen(by) else {}

        told = self.perform(name, by, workers.leave(worker), wants, how)
        seen = worker in self.world.workers_seen(by)
        assert told == ([worker] if seen else [])
        if seen:
            by.workers[worker] = None
            by.lock(row, Mode.WRITE)
        self.done(name, by)
        if name == "solo":
            self.enter()

    @rule(pick=picks)
    def lease_ends(self, pick: int) -> None:
        alive = [one for one in self.world.workers.values() if not one.expired]
        if not alive:
            return
        worker = alive[pick % len(alive)]
        if self.world.held(Transaction(), "worker", worker.id, Mode.BEAT):
            return
        self.stage.solo.execute(
            "UPDATE jobqueue.workers SET expires_at = now() - interval '1 hour' WHERE id = %s",
            [worker.id],
        )
        self.world.workers[worker.id] = replace(worker, expired=True)
