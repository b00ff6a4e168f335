"""What every rule is made of: a session, a statement, what it waits for, and a look afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobqueue.core.states import State
from jobqueue.store.claims import Claimed
from jobqueue.store.statement import Statement
from tests import waiting
from tests.model.stage import JOBS, ONCE, REQUESTS, SESSIONS, SOLO, WORKERS, Stage
from tests.model.world import Job, Locks, Mode, Thing, Transaction, Worker, World
from tests.store.steps import do, register

Row = TypeVar("Row")
One = TypeVar("One")

DEADLINE_SECONDS = 20.0

sessions = st.sampled_from([SOLO, SOLO, *SESSIONS])
picks = st.integers(0, 7)
ends = st.fixed_dictionaries({"left": st.booleans(), "right": st.booleans()})
"""Whether a transaction that somebody waits for commits."""
Ends = dict[str, bool]


def when(fits: Callable[[Job], bool]):
    """Keep a rule for when anybody sees a job that fits."""
    return precondition(lambda self: self.any_job(fits))


class Machine(RuleBasedStateMachine):
    """The database and the model of it, side by side."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.world = World(stage.key_numbers)
        self.claims: list[Claimed] = []
        self.ids: list[UUID] = []
        self.numbers = 0
        self.to_compare = set(SESSIONS)

    def teardown(self) -> None:
        """Leave nothing behind for the next play."""
        self.stage.clear()

    # Sessions and transactions ----------------------------------------------------------------

    def begin(self, name: str) -> Transaction:
        """Give the transaction of a session; that of `solo` is over with the rule."""
        self.to_compare.add(name)
        if name == SOLO:
            return Transaction()
        return self.world.open.setdefault(name, Transaction())

    def done(self, name: str, transaction: Transaction) -> None:
        """Commit what `solo` did; the others stay open."""
        if name == SOLO:
            self.commit(transaction)

    def commit(self, transaction: Transaction) -> None:
        """Let every session see what was done."""
        self.world.commit(transaction)
        self.to_compare.update(SESSIONS)

    def end(self, name: str, *, commit: bool) -> None:
        """End the transaction of `left` or `right`."""
        transaction = self.world.open.pop(name)
        session = self.stage.sessions[name]
        if commit:
            session.commit()
            self.commit(transaction)
        else:
            session.rollback()

    def perform(
        self,
        name: str,
        by: Transaction,
        statement: Statement[Row],
        wants: Callable[[], Locks],
        how: Ends,
    ) -> list[Row]:
        """Execute a statement, ending every transaction that it waits for.

        wants: what it is about to lock and waits for, as the world stands.
        """
        session = self.stage.sessions[name]
        locks = wants()
        holders = self.world.holders(by, locks)
        if not holders:
            return do(session, statement)
        answer = self.stage.thread.submit(do, session, statement)
        blocked = partial(self.stage.blockers, name)
        while holders:
            waiting.until(lambda: answer.done() or blocked(), what=f"{name} waits for {holders}")
            assert not answer.done(), f"did not wait for {holders}: {answer.result()}"
            found = blocked()
            assert found
            assert found <= holders
            before = self.rows(by, locks)
            for one in sorted(found):
                self.end(one, commit=how[one])
            for thing, mode in locks.items():
                if not self.world.holders(by, {thing: mode}) and self.had(by, thing, before):
                    by.lock(thing, mode)
            locks = wants()
            holders = self.world.holders(by, locks)
        return answer.result(DEADLINE_SECONDS)

    def rows(self, by: Transaction, locks: Locks) -> dict[Thing, tuple[str, int]]:
        """Give the rows that jobs are in."""
        jobs = {thing: self.job(by, str(thing.what)) for thing in locks if thing.kind == "job"}
        return {thing: job.same_row for thing, job in jobs.items() if job is not None}

    def had(self, by: Transaction, thing: Thing, before: dict[Thing, tuple[str, int]]) -> bool:
        """Whether who waited for it has it now, whatever it decides then.

        A key is had; so is a row that others only updated, though it may not fit any more.
        """
        if thing.kind == "key":
            return True
        return thing in before and self.rows(by, {thing: Mode.WRITE}).get(thing) == before[thing]

    # Choosing -----------------------------------------------------------------------------------

    def choose(self, pick: int, preferred: Sequence[One], others: Sequence[One]) -> One:
        """Choose one, mostly of the preferred ones, the newest first."""
        some = preferred if preferred and pick < 7 else others
        return some[-1 - pick % len(some)]

    def choose_job(self, name: str, pick: int, *states: State) -> UUID:
        """Choose a job's id, mostly one that is in one of the states."""
        by = self.world.open.get(name, Transaction())
        fitting = [job.id for job in self.world.which(by, lambda job: job.state in states)]
        return self.choose(pick, fitting, self.ids)

    def job(self, by: Transaction, job_id: UUID | str) -> Job | None:
        """Give a job as a session sees it."""
        return self.world.jobs_seen(by).get(UUID(str(job_id)))

    def next_number(self) -> int:
        """Give a number that no job has yet."""
        self.numbers += 1
        return self.numbers

    def untouched(self, *things: Thing) -> bool:
        """Whether nobody has locked any of these."""
        return not any(thing in one.locks for one in self.world.open.values() for thing in things)

    def add_worker(self) -> int:
        """Enter a worker in the books."""
        name = f"w{self.next_number()}"
        worker = register(self.stage.solo, name, lease_seconds=3600)
        self.world.workers[worker] = Worker(worker, name)
        return worker

    # The frame ----------------------------------------------------------------------------------

    def any_job(self, fits: Callable[[Job], bool]) -> bool:
        """Whether anybody sees a job that fits, so that a rule has something to do."""
        return any(fits(job) for job in self.world.everywhere())

    @precondition(lambda self: self.world.open)
    @rule(pick=picks, commit=st.booleans())
    def end_transaction(self, pick: int, commit: bool) -> None:
        names = sorted(self.world.open)
        self.end(names[pick % len(names)], commit=commit)

    @invariant()
    def they_say_the_same(self) -> None:
        for name in SESSIONS:
            if name in self.to_compare and (name == SOLO or name in self.world.open):
                self.compare(name, self.world.open.get(name, Transaction()))
        self.to_compare = {SOLO}

    def compare(self, name: str, by: Transaction) -> None:
        """Compare what a session sees with what the model says it sees."""
        session = self.stage.sessions[name]
        with session.pipeline():  # one journey instead of four
            jobs, workers, once, requests = (
                session.execute(query) for query in (JOBS, WORKERS, ONCE, REQUESTS)
            )
        expected = sorted(job.row() for job in self.world.jobs_seen(by).values())
        assert jobs.fetchall() == expected, name
        books = sorted((w.id, w.name, w.expired) for w in self.world.workers_seen(by).values())
        assert workers.fetchall() == books, name
        keys = sorted((k, o.job_id, o.expired) for k, o in self.world.once_seen(by).items())
        assert once.fetchall() == keys, name
        asked = [(job_id,) for job_id in sorted(self.world.requests_seen(by).values())]
        assert requests.fetchall() == asked, name
