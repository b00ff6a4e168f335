"""Rules of the books: what the tables must say when the dust has settled."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tests.chaos.evidence import Evidence, Violations
from tests.chaos.orders import UNIQUE

EFFECT_TASKS = frozenset(
    {"effect", "effect_in_a_process", "effect_in_a_thread", "slow_effect", "sweep"}
)
TICK_TASK = "tick"
DOOMED_TASK = "always_fails"
# Clocks are read one after the other.
CLOCK_SECONDS = 0.05


def acknowledged_orders_are_there(evidence: Evidence) -> Violations:
    """A commit that was acknowledged is kept, whatever failed after it."""
    orders = {order.id for order in evidence.orders}
    jobs = {job.id for job in evidence.jobs}
    return [
        f"order {one.order}: acknowledged with job {one.job}, and {what} is not there"
        for one in evidence.acknowledged
        for what, missing in (("it", one.order not in orders), ("the job", one.job not in jobs))
        if missing
    ]


def a_job_is_in_one_table_once(evidence: Evidence) -> Violations:
    counted = Counter(job.id for job in evidence.jobs)
    return [
        f"job {job}: is in the books {times} times" for job, times in counted.items() if times > 1
    ]


def every_job_has_ended(evidence: Evidence) -> Violations:
    """Nothing is left in the middle: completed, cancelled or dead."""
    return [
        f"job {job.id} ({job.task}): still {job.state}, attempt {job.attempt}"
        for job in evidence.jobs
        if job.table == "jobs"
    ]


def jobs_are_of_committed_orders(evidence: Evidence) -> Violations:
    """A job exists if and only if the transaction that enqueued it was committed."""
    jobs = {job.id for job in evidence.jobs if job.task != TICK_TASK}
    asked = {order.job for order in evidence.orders if order.outcome == "inserted"}
    unasked = [f"job {job}: no order asked for it" for job in sorted(jobs - asked)]
    missing = [
        f"order {order.id} ({order.kind}): its job {order.job} ({order.outcome}) does not exist"
        for order in evidence.orders
        if order.job not in jobs
    ]
    return unasked + missing


def effects_were_made_once(evidence: Evidence) -> Violations:
    """A completed job's effects are there once; those of a job that was cancelled, not at all."""
    violations: Violations = []
    expected: set[str] = set()
    for job in evidence.jobs:
        if job.task in EFFECT_TASKS and job.state == "completed":
            expected.add(job.id)
            times = evidence.effects.get(job.id, 0)
            if times != 1:
                violations.append(f"job {job.id} ({job.task}): its effects were made {times} times")
    unexpected = sorted(evidence.effects.keys() - expected)
    return violations + [f"job {job}: has effects and did not complete" for job in unexpected]


def completed_jobs_ran_to_their_end(evidence: Evidence) -> Violations:
    """At least once; that of an effect is in the database, and its note may be cut short."""
    finished = {run.job for run in evidence.runs if run.how == "end"}
    return [
        f"job {job.id} ({job.task}): completed, and no run of it came to its end"
        for job in evidence.jobs
        if job.state == "completed" and job.task not in EFFECT_TASKS and job.id not in finished
    ]


def attempts_stay_within_their_limit(evidence: Evidence) -> Violations:
    limits = {job.id: job.max_attempts for job in evidence.jobs}
    booked = [(job.id, job.attempt) for job in evidence.jobs]
    noted = [(run.job, run.attempt) for run in evidence.runs]
    return [
        f"job {job}: attempt {attempt} of {limits[job]}"
        for job, attempt in booked + noted
        if job in limits and attempt > limits[job]
    ]


def attempts_add_up(evidence: Evidence) -> Violations:
    """Every attempt of a job that ended is accounted for: by an error, or by its completion."""
    violations: Violations = []
    for job in evidence.jobs:
        counted = sum(error["error"] not in {"Interrupted", "Duplicate"} for error in job.errors)
        attempts = counted + (job.state == "completed")
        if job.table != "jobs" and attempts != job.attempt:
            violations.append(
                f"job {job.id} ({job.task}): {job.state} after {job.attempt} attempts, "
                f"of which {attempts} are accounted for"
            )
    return violations


def only_the_doomed_are_dead(evidence: Evidence) -> Violations:
    """Jobs that always fail are dead letters, after all their attempts; no others are."""
    violations: Violations = []
    for job in evidence.jobs:
        if (job.state == "dead") != (job.task == DOOMED_TASK):
            last = job.errors[-1] if job.errors else None
            violations.append(f"job {job.id} ({job.task}): {job.state}, last error {last}")
        elif job.state == "dead" and job.attempt != job.max_attempts:
            violations.append(f"job {job.id}: dead after {job.attempt} of {job.max_attempts}")
    return violations


def delayed_jobs_were_not_early(evidence: Evidence) -> Violations:
    first: dict[str, float] = {}
    for run in evidence.runs:
        first.setdefault(run.job, run.began)
    delayed = {order.job for order in evidence.orders if order.kind == "delayed"}
    return [
        f"job {job.id}: started {job.run_at - first[job.id]:.3f} s before it was due"
        for job in evidence.jobs
        if job.id in delayed and first.get(job.id, job.run_at) < job.run_at - CLOCK_SECONDS
    ]


def each_tick_has_one_job(evidence: Evidence) -> Violations:
    """There is a tick each second from the first to the last, and for each of them one job."""
    jobs = Counter(job.id for job in evidence.jobs if job.task == TICK_TASK)
    violations = [
        f"tick {tick.at:.0f}: has {jobs[tick.job or '']} jobs ({tick.job})"
        for tick in evidence.ticks
        if jobs[tick.job or ""] != 1
    ]
    of_ticks = {tick.job for tick in evidence.ticks}
    violations += [f"job {job}: is of no tick" for job in sorted(jobs.keys() - of_ticks)]
    violations += [
        f"ticks: none between {before.at:.0f} and {after.at:.0f}"
        for before, after in pairwise(evidence.ticks)
        if after.at - before.at != 1
    ]
    return violations


def unique_jobs_saw_who_met_them(evidence: Evidence) -> Violations:
    """A job that an enqueue met starts after that enqueue's commit: it sees what was written.

    Another job under the same key may have seen it before, and one that came later does not count.
    """
    ended = {job.id: job.finished_at for job in evidence.jobs if job.state == "completed"}
    violations: Violations = []
    for order in evidence.orders:
        if order.kind in UNIQUE:
            latest = ended.get(order.job or "")
            seen = order.swept_at is not None and (latest is None or order.swept_at <= latest)
            if not seen:
                violations.append(
                    f"order {order.id} ({order.kind}): {order.outcome} job {order.job}, "
                    f"which ended at {latest} and did not see it ({order.swept_at})"
                )
    return violations


def one_job_waits_under_a_key(evidence: Evidence) -> Violations:
    return [f"unique key {key}: more than one job waited under it" for key in evidence.shared_keys]


def nothing_is_stuck(evidence: Evidence) -> Violations:
    """No job hangs in the hands of a worker that lives, or waits while a worker sleeps."""
    return sorted(evidence.stuck)
