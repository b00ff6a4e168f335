"""The jobs in hand that are under limits: each starts at its moment, or goes to its gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from jobqueue.client.task import Task
from jobqueue.core.outcome import Kind, Verdict
from jobqueue.store.claims import Claimed, Held, More
from jobqueue.worker.acker import Acker
from jobqueue.worker.database_clock import DatabaseClock
from jobqueue.worker.gatekeeper import Gatekeeper
from jobqueue.worker.lines import Line
from jobqueue.worker.paced import Paced

UNSTARTED = Verdict(Kind.HANDED_BACK, refund=True)


class Limited:
    """Says when jobs under limits start here.

    One under a rate waits for its moment without a slot. If the slots are taken then, and it comes
    too late, it keeps the next one that is free, with a place in its pool, and asks for another
    moment: who gave up the slot would find it taken again each time, beside long jobs.

    due: takes in jobs whose moments have come, in that order. start: starts one for which a slot is
    free, and a place in its pool. occupy, vacate: keep these for a job, and give them up. freed:
    called with the line of a slot that was kept and is free again.
    """

    def __init__(
        self,
        clock: DatabaseClock,
        gatekeeper: Gatekeeper,
        acker: Acker,
        *,
        due: Callable[[Sequence[tuple[Line, Claimed]]], None],
        start: Callable[[Line, Claimed], None],
        occupy: Callable[[Line, Claimed], None],
        vacate: Callable[[Line, Claimed], None],
        freed: Callable[[Line], None],
    ) -> None:
        self._gatekeeper = gatekeeper
        self._acker = acker
        self._start = start
        self._occupy = occupy
        self._vacate = vacate
        self._freed = freed
        self._paced = Paced(clock, due)
        # These have a slot each, which runs nothing else.
        self._asking: dict[Held, tuple[Line, Claimed]] = {}
        self._renewed = Paced(clock, self._start_renewed)

    def __bool__(self) -> bool:
        return bool(self._paced or self._asking or self._renewed)

    def __iter__(self) -> Iterator[Claimed]:
        """Give those that wait."""
        return chain(self._paced, (job for _, job in self._asking.values()), self._renewed)

    def put(self, jobs: Sequence[tuple[Line, Claimed]]) -> None:
        """Keep claimed jobs until their moments."""
        self._gatekeeper.seen()
        for line, job in jobs:
            self._paced.put(line, job)
        self._paced.look()

    def room(self, line: Line) -> int:
        """How many more of a queue would find a slot when their moment comes."""
        return self._paced.room(line)

    def on_time(self, job: Claimed) -> bool:
        """Whether a job may start now, if it has a moment."""
        return not job.starts_at or self._paced.on_time(job)

    def may_start(self, line: Line, task: Task[..., object], job: Claimed) -> bool:
        """Whether a job may start now in a slot of `line`; if not, it is seen to."""
        if job.starts_at is None:
            if task.flow is None:
                return True
            self._gatekeeper.seen()
            self._acker.under_limits(job, task.flow, task.flow_keys(job.args))
            return False
        self._gatekeeper.seen()
        if self.on_time(job):
            return True
        held = (job.id, job.lease)
        self._occupy(line, job)
        self._asking[held] = (line, job)
        self._gatekeeper.another_moment(held, lambda moment: self._answered(held, moment))
        return False

    def remove(self, wanted: Callable[[Claimed], bool]) -> list[Claimed]:
        """Take out and give the jobs that are wanted; their slots are free."""
        asking = [one for one in self._asking.values() if wanted(one[1])]
        with_slots = [*asking, *self._renewed.remove(wanted)]
        for line, job in with_slots:
            self._asking.pop((job.id, job.lease), None)
            self._vacate(line, job)
        return [job for _, job in chain(self._paced.remove(wanted), with_slots)]

    def _answered(self, held: Held, moment: float | None) -> None:
        waiting = self._asking.pop(held, None)
        if waiting is None:
            return  # it was taken out meanwhile
        line, job = waiting
        if moment is None:
            self._vacate(line, job)
            self._acker.not_completed(job, UNSTARTED)
            self._freed(line)
        else:
            more = (job.more or More())._replace(starts_at=moment)
            self._renewed.put(line, job._replace(more=more))
            self._renewed.look()

    def _start_renewed(self, jobs: Sequence[tuple[Line, Claimed]]) -> None:
        for line, job in jobs:
            self._vacate(line, job)
            self._start(line, job)
            self._freed(line)  # unless it has begun
