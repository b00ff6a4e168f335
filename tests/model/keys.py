"""What becomes of an enqueue with an id or keys, in the order in which the database decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from jobqueue.core.states import State
from tests.model.world import Ask, Job, Mode, Once, Thing, Transaction, World

HIGHEST = 2**63 - 1
"""Above every key: who holds it waits for none."""


@dataclass
class Decision:
    """What an enqueue comes to.

    outcome: `inserted`, `met`, `replaced` or `contested`.
    job_id: the job that was met or replaced.
    waits_for: what it has to wait for first; then it is to be asked again.
    locks: what it has locked so far.
    took_once: it entered its idempotency key.
    by_unique: the job was found by its unique key.
    """

    outcome: str = "inserted"
    job_id: UUID | None = None
    waits_for: dict[Thing, Mode] = field(default_factory=dict[Thing, Mode])
    locks: dict[Thing, Mode] = field(default_factory=dict[Thing, Mode])
    took_once: bool = False
    by_unique: bool = False

    def met(self, job_id: UUID) -> Decision:
        self.outcome, self.job_id = "met", job_id
        return self


def decide(world: World, by: Transaction, ask: Ask, own_id: UUID | None = None) -> Decision:
    """Decide about `ask`. own_id: the id of a contested job that is decided about again."""
    made = Decision()
    if ask.job_id is not None:
        if ask.job_id in world.jobs_seen(by):
            return made.met(ask.job_id)
        _want(world, by, made, Thing("id", ask.job_id), Mode.WRITE)
        return made
    if ask.once is not None:
        known = world.once_seen(by).get(ask.once)
        if known is not None and not known.expired:
            if Thing("key", world.key_numbers["idempotency", ask.once]) in by.locks:
                # It tried to insert its own when it had waited: ON CONFLICT locks what it met.
                made.locks[Thing("once", ask.once)] = Mode.WRITE
            if known.job_id != own_id:
                return made.met(known.job_id)
        elif _take_key(world, by, made, world.key_numbers["idempotency", ask.once]):
            _want(world, by, made, Thing("once", ask.once), Mode.WRITE)
            made.took_once = True
    if ask.unique is not None and made.outcome != "contested" and not made.waits_for:
        _decide_unique(world, by, made, ask)
    return made


def _decide_unique(world: World, by: Transaction, made: Decision, ask: Ask) -> None:
    assert ask.unique is not None
    key, replaces = ask.unique
    waiting = next(iter(world.which(by, lambda job: job.unique == key)), None)
    if waiting and not replaces and not world.held(by, "job", waiting.id, Mode.SHARE):
        made.locks[Thing("job", waiting.id)] = Mode.SHARE
        made.by_unique = True
        made.met(waiting.id)
        return
    if not _take_key(world, by, made, world.key_numbers["unique", key]) or waiting is None:
        return
    if not replaces:
        made.waits_for[Thing("job", waiting.id)] = Mode.SHARE
    elif world.held(by, "job", waiting.id, Mode.WRITE):
        made.outcome = "contested"
    else:
        made.locks[Thing("job", waiting.id)] = Mode.WRITE
        made.by_unique = True
        # A contested job is decided about late: something newer may have been asked for since.
        made.outcome = "met" if waiting.number > ask.number else "replaced"
        made.job_id = waiting.id


def _take_key(world: World, by: Transaction, made: Decision, number: int) -> bool:
    """Take the right to decide about a key; only keys of rising numbers are waited for."""
    thing = Thing("key", number)
    highest = max(
        [by.highest_key or 0, *(one.what for one in made.locks if isinstance(one.what, int))]
    )
    if world.held(by, "key", number, Mode.WRITE):
        if number <= highest:
            made.outcome = "contested"
        else:
            made.waits_for[thing] = Mode.WRITE
        return False
    made.locks[thing] = Mode.WRITE
    return True


def _want(world: World, by: Transaction, made: Decision, thing: Thing, mode: Mode) -> None:
    if world.holders(by, {thing: mode}):
        made.waits_for[thing] = mode
    else:
        made.locks[thing] = mode


def meets_a_locked_row(world: World, by: Transaction, ask: Ask) -> bool:
    """Whether it meets a job that somebody has locked without having its key.

    How that ends depends on how long the lock is held, which is not for a model to say.
    """
    if ask.unique is None:
        return False
    key, replaces = ask.unique
    deciding = world.holders(by, {Thing("key", world.key_numbers["unique", key]): Mode.WRITE})
    return not replaces and any(
        world.holders(by, {Thing("job", job.id): Mode.SHARE}) - deciding
        for job in world.which(by, lambda job: job.unique == key)
    )


def write(world: World, by: Transaction, ask: Ask, made: Decision, job_id: UUID) -> None:
    """Write down what was decided. job_id: the id of the job that is inserted, if one is."""
    for thing, mode in made.locks.items():
        by.lock(thing, mode)
    if made.took_once:
        assert ask.once is not None
        by.once[ask.once] = Once(job_id)
    if made.job_id is not None:
        _write_met(world, by, ask, made)
        return
    contested = made.outcome == "contested"
    state = State.SCHEDULED if ask.later else State.AVAILABLE
    by.jobs[job_id] = Job(
        job_id,
        State.BLOCKED if contested else state,
        ask.number,
        ask.max_attempts,
        due=not ask.later,
        unique=ask.unique[0] if ask.unique and not contested else None,
        contested=ask if contested else None,
    )
    by.lock(Thing("id", job_id), Mode.WRITE)


def _write_met(world: World, by: Transaction, ask: Ask, made: Decision) -> None:
    assert made.job_id is not None
    if ask.once is not None and made.by_unique:
        # Its key was its own for a moment; now it is the key of the job that was met.
        by.once[ask.once] = Once(made.job_id)
        by.lock(Thing("once", ask.once), Mode.WRITE)
    if made.outcome == "replaced":
        job = world.jobs_seen(by)[made.job_id]
        state = State.SCHEDULED if ask.later else State.AVAILABLE
        by.put(
            replace(
                job, state=state, number=ask.number, max_attempts=ask.max_attempts,
                due=not ask.later,
            )
        )  # fmt: skip
