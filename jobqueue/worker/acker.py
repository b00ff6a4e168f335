"""Acks: outcomes gather while the previous batch is on its way, and are recorded together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from jobqueue.core.errors import one_line
from jobqueue.core.limits import Flow, FlowKeys
from jobqueue.core.outcome import Kind, Verdict, describe
from jobqueue.store import gates, processed, workers
from jobqueue.store import jobs as statements
from jobqueue.store.claims import Claimed, Held
from jobqueue.store.statement import Statement
from jobqueue.worker.link import Link, Pauses

log = logging.getLogger("jobqueue.worker")

# Outcomes that have gathered while the last batch was recorded tell that jobs end in quick
# succession: then a little more is waited for, since a batch costs hardly more than one outcome.
QUICK_SUCCESSION = 32
GATHERING_SECONDS = 0.003
# One statement records at most so many completions; more wait for the next one.
MOST_IN_A_BATCH = 2_000
# And so many others, of which each may bring a traceback.
MOST_VERDICTS = 500
# Results may be long.
MOST_RESULTS = 100
# With so many outcomes unrecorded the database is behind: nothing more is claimed until it is not.
MOST_UNRECORDED = 10_000

# What the database says of values that it will never take.
REFUSED = (psycopg.DataError,)

Errors = tuple[type[psycopg.Error], ...]
Outcome = dict[str, Any]
Ack = Callable[[str], Statement[str]]


@dataclass(slots=True)
class Batch:
    """Outcomes to be recorded together. Lists of completions are parallel.

    forgotten_ids, forgotten_leases: of completed jobs that leave no trace.
    returned: completions with what the task returned, as JSON.
    kept: what a job returned whose completion its own transaction has recorded.
    gated: of jobs that go to their gates, whatever is to be known there.
    """

    ids: list[str] = field(default_factory=list[str])
    leases: list[int] = field(default_factory=list[int])
    run_ms: list[float] = field(default_factory=list[float])
    forgotten_ids: list[str] = field(default_factory=list[str])
    forgotten_leases: list[int] = field(default_factory=list[int])
    returned: list[tuple[Claimed, float, str]] = field(
        default_factory=list[tuple[Claimed, float, str]]
    )
    kept: list[tuple[Claimed, str]] = field(default_factory=list[tuple[Claimed, str]])
    verdicts: list[tuple[Claimed, Verdict]] = field(default_factory=list[tuple[Claimed, Verdict]])
    gated: list[Outcome] = field(default_factory=list[Outcome])

    def __len__(self) -> int:
        completed = len(self.ids) + len(self.forgotten_ids) + len(self.returned) + len(self.kept)
        return completed + len(self.verdicts) + len(self.gated)

    def held(self) -> Iterator[Held]:
        """Give the job of each outcome, and the lease it was reached under."""
        yield from zip(self.ids, self.leases, strict=True)
        yield from zip(self.forgotten_ids, self.forgotten_leases, strict=True)
        yield from ((job.id, job.lease) for job, _, _ in self.returned)
        yield from ((job.id, job.lease) for job, _ in self.verdicts)
        yield from ((outcome["id"], outcome["lease"]) for outcome in self.gated)


class Acker:
    """Records outcomes in batches, fenced by the lease they were reached under.

    An outcome is kept until the database has answered for it, through any outage.

    recorded: called after each batch.
    """

    def __init__(self, link: Link, recorded: Callable[[], None]) -> None:
        self._link = link
        self._recorded = recorded
        self._open = Batch()
        self._any = asyncio.Event()
        self._sending = Batch()
        self._unrecorded = 0
        self._settled = asyncio.Condition()

    @property
    def behind(self) -> bool:
        """Whether so much is unrecorded that no more should be claimed."""
        return self._unrecorded >= MOST_UNRECORDED

    @property
    def waiting(self) -> int:
        """How many outcomes are not known to be recorded."""
        return self._unrecorded

    def unrecorded(self) -> set[Held]:
        """Give the jobs whose outcomes are not known to be recorded."""
        return {*self._open.held(), *self._sending.held()}

    def completed(self, job: Claimed, run_seconds: float, *, keep: bool) -> None:
        """Note that `job` is done. keep: whether it is to be in the history."""
        batch = self._open
        if keep:
            batch.ids.append(job.id)
            batch.leases.append(job.lease)
            batch.run_ms.append(run_seconds * 1000)
        else:
            batch.forgotten_ids.append(job.id)
            batch.forgotten_leases.append(job.lease)
        self._noted()

    def returned(self, job: Claimed, run_seconds: float, result: str, *, settled: bool) -> None:
        """Note that `job` is done, and what its task returned, as JSON.

        settled: the job's own transaction has recorded its completion.
        """
        if settled:
            self._open.kept.append((job, result))
        else:
            self._open.returned.append((job, run_seconds * 1000, result))
        self._noted()

    def not_completed(self, job: Claimed, verdict: Verdict) -> None:
        """Note what is to become of `job`, which did not complete."""
        self._open.verdicts.append((job, verdict))
        self._noted()

    def under_limits(self, job: Claimed, flow: Flow, keys: FlowKeys) -> None:
        """Note that `job`, which has not begun, is to wait at the gates of its limits."""
        self._open.gated.append(
            {
                "id": job.id,
                "lease": job.lease,
                "concurrency": flow.concurrency,
                "concurrency_key": None if flow.concurrency is None else keys[0],
                "rate": flow.rate,
                "rate_key": None if flow.rate is None else keys[1],
                "weight": flow.weight,
            }
        )
        self._noted()

    async def run(self) -> None:
        """Record what gathers, for as long as the worker lives."""
        while True:
            await self._any.wait()
            if len(self._open) > QUICK_SUCCESSION:
                await asyncio.sleep(GATHERING_SECONDS)
            self._any.clear()
            batch, self._sending, self._open = self._open, self._open, Batch()
            await self._record(batch)
            self._sending = Batch()
            self._recorded()
            async with self._settled:
                self._unrecorded -= len(batch)
                self._settled.notify_all()

    async def settle(self) -> None:
        """Wait until everything noted so far is recorded."""
        async with self._settled:
            await self._settled.wait_for(lambda: self._unrecorded == 0)

    async def caught_up(self) -> None:
        """Wait until the database is no longer behind."""
        async with self._settled:
            await self._settled.wait_for(lambda: not self.behind)

    def _noted(self) -> None:
        self._unrecorded += 1
        self._any.set()

    async def _record(self, batch: Batch) -> None:
        for statement in _completions(batch):
            await self._send(statement)
        for start in range(0, len(batch.returned), MOST_RESULTS):
            await self._send_results(batch.returned[start : start + MOST_RESULTS])
        for job, result in batch.kept:
            await self._keep_result(job, result)
        for start in range(0, len(batch.gated), MOST_IN_A_BATCH):
            outcomes = orjson.dumps(batch.gated[start : start + MOST_IN_A_BATCH]).decode()
            await self._send(gates.put_under(outcomes))
        for job, verdict in batch.verdicts:
            if verdict.kind is Kind.HELD:
                hold = gates.hold_of_job(job.id, verdict.delay_seconds)
                await self._until_answered(hold, REFUSED)
        for ack, outcomes in _verdicts(batch):
            await self._send_or_split(ack, outcomes)
        if woken := {job.queue for job, verdict in batch.verdicts if verdict.runs_at_once}:
            await self._until_answered(workers.wake(sorted(woken)))

    async def _send_or_split(self, ack: Ack, outcomes: list[Outcome]) -> None:
        """Record `outcomes`. What the database refuses for good holds up no other.

        An outcome's error is text of the application's. Should the database not take it, the
        outcome is recorded without.
        """
        try:
            await self._send(ack(orjson.dumps(outcomes).decode()), give_up_on=REFUSED)
        except REFUSED as error:
            if len(outcomes) > 1:
                half = len(outcomes) // 2
                await self._send_or_split(ack, outcomes[:half])
                await self._send_or_split(ack, outcomes[half:])
                return
            [outcome] = outcomes
            reason = one_line(error)
            log.error(  # noqa: TRY400 - the trace would show our own statement only
                "ack: job %s: its error cannot be recorded (%s)", outcome["id"], reason
            )
            unrecorded = {"error": "Unrecorded", "message": f"the error was refused: {reason}"}
            await self._send(ack(orjson.dumps([outcome | {"error": unrecorded}]).decode()))

    async def _send_results(self, returned: list[tuple[Claimed, float, str]]) -> None:
        """Record completions with results. One that the database refuses is kept without."""
        jobs, run_ms, results = zip(*returned, strict=True)
        ids, leases = [job.id for job in jobs], [job.lease for job in jobs]
        try:
            await self._send(
                statements.ack_returned(ids, leases, run_ms, results), give_up_on=REFUSED
            )
        except REFUSED as error:
            if len(returned) > 1:
                half = len(returned) // 2
                await self._send_results(returned[:half])
                await self._send_results(returned[half:])
                return
            _log_refused(jobs[0], error)
            await self._send(statements.ack_returned(ids, leases, run_ms, ["null"]))

    async def _keep_result(self, job: Claimed, result: str) -> None:
        try:
            await self._until_answered(processed.keep_result(job, result), REFUSED)
        except REFUSED as error:
            _log_refused(job, error)

    async def _send(self, statement: Statement[str], *, give_up_on: Errors = ()) -> None:
        """Record outcomes, and say of which nothing was changed."""
        stale, repeated = await self._until_answered(statement, give_up_on)
        if stale:
            log.log(
                logging.INFO if repeated else logging.WARNING,
                "ack: %d outcomes changed nothing: %stheir lease was lost and the jobs were "
                "given to others (%s)",
                len(stale),
                "they were recorded before the answer was lost, or " if repeated else "",
                ", ".join(stale[:5]),
            )

    async def _until_answered(
        self, statement: Statement[Any], give_up_on: Errors = ()
    ) -> tuple[list[Any], bool]:
        """Give the answer, and whether the statement had to be repeated for it.

        give_up_on: errors that no repetition would change; they are raised.
        """
        pauses = Pauses()
        repeated = False
        while True:
            try:
                return await self._link.run(statement), repeated
            except give_up_on:
                raise
            except psycopg.Error as error:
                pause = pauses.next_seconds()
                log.warning(
                    "ack: not recorded (%s); trying again in %.1f s", one_line(error), pause
                )
                repeated = True
                await asyncio.sleep(pause)


def _log_refused(job: Claimed, error: psycopg.Error) -> None:
    log.error("ack: job %s: its result cannot be kept (%s)", job.id, one_line(error))


def _completions(batch: Batch) -> Iterator[Statement[str]]:
    """Give the statements that record what completed in `batch`."""
    for part in _parts(len(batch.ids)):
        run_ms = _array([f"{ms:.3f}" for ms in batch.run_ms[part]])
        yield statements.ack_completed(
            _array(batch.ids[part]), _array(map(str, batch.leases[part])), run_ms
        )
    for part in _parts(len(batch.forgotten_ids)):
        yield statements.ack_forgotten(
            _array(batch.forgotten_ids[part]), _array(map(str, batch.forgotten_leases[part]))
        )


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, MOST_IN_A_BATCH):
        yield slice(start, start + MOST_IN_A_BATCH)


def _array(values: Iterable[str]) -> str:
    """Write an array literal of values that need no quoting.

    By hand: an adapter that looks at each one would cost more than the rest of the ack.
    """
    return f"{{{','.join(values)}}}"


def _verdicts(batch: Batch) -> Iterator[tuple[Ack, list[Outcome]]]:
    """Give the other outcomes in `batch` with what records them, so many at a time."""
    by_way: dict[Ack, list[Outcome]] = {}
    for job, verdict in batch.verdicts:
        by_way.setdefault(ACKS[verdict.kind], []).append(_outcome(job, verdict))
    for ack, outcomes in by_way.items():
        for start in range(0, len(outcomes), MOST_VERDICTS):
            yield ack, outcomes[start : start + MOST_VERDICTS]


ACKS: dict[Kind, Ack] = {
    Kind.RETRIED: statements.ack_rescheduled,
    Kind.SNOOZED: statements.ack_rescheduled,
    Kind.HELD: statements.ack_rescheduled,
    Kind.HANDED_BACK: statements.ack_rescheduled,
    Kind.CANCELLED: statements.ack_cancelled,
    Kind.DEAD: statements.ack_dead,
}


def _outcome(job: Claimed, verdict: Verdict) -> Outcome:
    return {
        "id": job.id,
        "lease": job.lease,
        "delay_seconds": verdict.delay_seconds,
        "refund": verdict.refund,
        "began": verdict.began,
        "error": None if verdict.error is None else describe(verdict.error, verdict.secrets),
    }
