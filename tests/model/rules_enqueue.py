"""Rules: whoever enqueues, with an id, with keys, or without."""

from __future__ import annotations

import json
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from jobqueue import Unique
from jobqueue.core.options import EnqueueOptions, UsingOptions
from jobqueue.store import jobs
from jobqueue.store.jobs import Enqueued
from jobqueue.store.statement import Statement
from tests.model.keys import decide, meets_a_locked_row, write
from tests.model.machine import Ends, Machine, ends, picks, sessions
from tests.model.stage import KEYS, TASK
from tests.model.world import Ask

MOST_ALIVE = 8

keys = st.sampled_from(KEYS)
own_ids = st.integers(0, 3)


def statement_of(ask: Ask) -> Statement[Enqueued]:
    """Give the statement that asks for this."""
    options: UsingOptions = {"attempts": ask.max_attempts}
    if ask.later:
        options["delay"] = 3600
    if ask.job_id is not None:
        options["job_id"] = ask.job_id
    if ask.once is not None:
        options["idempotency_key"] = ask.once
    if ask.unique is not None:
        key, replaces = ask.unique
        options["unique"] = Unique.replace(key) if replaces else Unique.skip(key)
    chosen = EnqueueOptions().using(options)
    return jobs.enqueue(TASK, json.dumps({"n": ask.number}), chosen, chosen.keys({}))


class EnqueueRules(Machine):
    """Whoever enqueues."""

    def few(self) -> bool:
        """Whether there is room for another job: few are met more often."""
        return len({job.id for job in self.world.everywhere() if not job.state.ended}) < MOST_ALIVE

    def ask(self, name: str, ask: Ask, how: Ends) -> None:
        """Enqueue, and check what is said of it."""
        by = self.begin(name)
        if meets_a_locked_row(self.world, by, ask):
            return
        statement = statement_of(ask)
        [told] = self.perform(
            name, by, statement, lambda: decide(self.world, by, ask).waits_for, how
        )
        made = decide(self.world, by, ask)
        assert told.outcome == ("inserted" if made.outcome == "contested" else made.outcome)
        if made.job_id is None:
            assert told.id == ask.job_id or told.id not in self.ids
            if told.id not in self.ids:
                self.ids.append(told.id)
        else:
            assert told.id == made.job_id
        write(self.world, by, ask, made, told.id)
        self.done(name, by)

    @precondition(few)
    @rule(name=sessions, later=st.booleans(), attempts=st.integers(1, 2), how=ends)
    def enqueue(self, name: str, later: bool, attempts: int, how: Ends) -> None:
        self.ask(name, Ask(self.next_number(), attempts, later), how)

    @precondition(few)
    @rule(name=sessions, pick=picks, own=own_ids, known=st.booleans(), how=ends)
    def enqueue_with_an_id(self, name: str, pick: int, own: int, known: bool, how: Ends) -> None:
        job_id = self.ids[pick % len(self.ids)] if known and self.ids else UUID(int=own + 1)
        self.ask(name, Ask(self.next_number(), job_id=job_id), how)

    @precondition(few)
    @rule(name=sessions, key=keys, how=ends)
    def enqueue_once(self, name: str, key: str, how: Ends) -> None:
        self.ask(name, Ask(self.next_number(), once=key), how)

    @precondition(few)
    @rule(name=sessions, key=keys, replaces=st.booleans(), later=st.booleans(), how=ends)
    def enqueue_unique(self, name: str, key: str, replaces: bool, later: bool, how: Ends) -> None:
        self.ask(name, Ask(self.next_number(), later=later, unique=(key, replaces)), how)

    @precondition(few)
    @rule(name=sessions, once=keys, key=keys, replaces=st.booleans(), how=ends)
    def enqueue_once_and_unique(
        self, name: str, once: str, key: str, replaces: bool, how: Ends
    ) -> None:
        self.ask(name, Ask(self.next_number(), once=once, unique=(key, replaces)), how)
