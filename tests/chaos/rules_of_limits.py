"""Rules of limits: what was recorded outside the database keeps to every one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf

from tests.chaos.application import API, AT_ONCE
from tests.chaos.evidence import Evidence, Job, Run, Violations
from tests.chaos.orders import ORDERED
from tests.chaos.rules_of_workers import losses_of
from tests.worker.limits_kept import Ran, check_concurrency, check_order, check_rate

PACED = frozenset({"paced", "paced_with_others"})


def no_window_holds_more_starts_than_its_rate(evidence: Evidence) -> Violations:
    """A start counts from when the worker handed it over; one of a lost lease counts as well."""
    jobs = {job.id for job in evidence.jobs if job.task in PACED}
    handed = [run.began if run.handed is None else run.handed for run in _runs(evidence, jobs)]
    starts = [Ran(0, "", moment, moment) for moment in handed]
    return _broken(check_rate, starts, amount=API.amount, per=1.0)


def no_key_runs_more_than_its_limit(evidence: Evidence) -> Violations:
    return [
        violation
        for task, amount in (("keyed", AT_ONCE), ("ordered", 1))
        for violation in _broken(check_concurrency, _ran(evidence, task), amount=amount)
    ]


def an_ordered_key_keeps_its_order(evidence: Evidence) -> Violations:
    """None begins between two attempts of another, nor before one that was there before it.

    Those whose transactions were open at the same time have no order to be kept.
    """
    return _broken(check_order, _ran(evidence, ORDERED)) + list(_overtaken(evidence))


def _overtaken(evidence: Evidence) -> Iterator[str]:
    first: dict[str, float] = {}
    for run in evidence.runs:
        first.setdefault(run.job, run.began)
    told = {one.job: one.at for one in evidence.acknowledged}
    enqueued = {job.id: job.enqueued_at for job in evidence.jobs}
    by_key: dict[str | None, list[str]] = {}
    for order in evidence.orders:
        if order.kind == ORDERED and order.job in first and order.job in enqueued:
            by_key.setdefault(order.key, []).append(order.job)
    for key, jobs in by_key.items():
        jobs.sort(key=enqueued.__getitem__)
        # Of those that were committed by the time, the one that began last.
        waiting = sorted((job for job in jobs if job in told), key=told.__getitem__)
        latest, latest_job = -inf, ""
        for job in jobs:
            while waiting and told[waiting[0]] < enqueued[job]:
                before = waiting.pop(0)
                if first[before] > latest:
                    latest, latest_job = first[before], before
            if first[job] < latest:
                yield f"key {key!r}: job {job} began before job {latest_job}, which was there first"


def _ran(evidence: Evidence, task: str) -> list[Ran]:
    """Give the runs of a task, each job by the number in which it first began."""
    jobs = {job.id: job for job in evidence.jobs if job.task == task}
    keys = {order.job: order.key or "" for order in evidence.orders}
    exits = {end.pid: end.at for end in evidence.exits}
    numbers: dict[str, int] = {}
    ran: list[Ran] = []
    for run in _runs(evidence, jobs):
        number = numbers.setdefault(run.job, len(numbers))
        ran.append(Ran(number, keys[run.job], run.began, _held_until(run, jobs[run.job], exits)))
    return ran


def _held_until(run: Run, job: Job, exits: Mapping[int, float]) -> float:
    """Give the end of a run: its own, that of its process, or the loss of its lease.

    Whoever has lost it may run on for a while beside its heir, as nobody can prevent.
    """
    own = inf if run.ended is None else run.ended
    lost = [at for pid, attempt, at in losses_of(job) if (pid, attempt) == (run.pid, run.attempt)]
    return max(run.began, min([own, exits.get(run.pid, inf), *lost]))


def _runs(evidence: Evidence, jobs: Collection[str]) -> Sequence[Run]:
    return [run for run in evidence.runs if run.job in jobs]


def _broken(check: Callable[..., None], ran: Sequence[Ran], **limit: float) -> Violations:
    try:
        check(ran, **limit)
    except AssertionError as error:
        return [str(error)]
    return []
