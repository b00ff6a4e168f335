"""Rules of workers: one at a time has a job, and none loses its lease or ends for nothing."""

from __future__ import annotations

import re
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from jobqueue.cli.exit_codes import Exit
from tests.chaos.evidence import Evidence, Job, Run, Violations
from tests.chaos.happened import KILLED, STOPPED, THE_END
from tests.chaos.plan import Kind
from tests.chaos.rules_of_books import CLOCK_SECONDS

LOST = re.compile(r"worker \S+:(\d+) (?:stopped sending heartbeats|ended while the job ran)")
ENDING = {Kind.KILL, Kind.KILL_LEADER}
# The lease may have been renewed last a third of its length before the fault.
SHARE_OF_LEASE = 2 / 3
# What a busy machine may take to find out, and to elect another leader first.
LATEST_SECONDS = 30.0
# A worker that is stopped ends in good order, or has handed jobs back; one that had only just been
# started and knows no signals yet just ends.
EXIT_CODES = {
    KILLED: {-signal.SIGKILL},
    STOPPED: {0, Exit.INTERRUPTED, -signal.SIGTERM},
    THE_END: {0, Exit.INTERRUPTED},
}


def a_lease_runs_a_job_once(evidence: Evidence) -> Violations:
    """A claim starts a job once: a second start under one lease is not fenced from the first."""
    counted = Counter((run.job, run.lease) for run in evidence.runs)
    return [
        f"job {job}: started {times} times under lease {lease}"
        for (job, lease), times in counted.items()
        if times > 1
    ]


def one_worker_at_a_time(evidence: Evidence) -> Violations:
    """A run that another overtakes had lost its lease, or was interrupted: the books say so."""
    jobs = {job.id: job for job in evidence.jobs}
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in evidence.runs:
        runs[run.job].append(run)
    return [
        f"job {job}: process {before.pid} was in attempt {before.attempt} "
        f"when process {after.pid} started attempt {after.attempt}, and had not lost it"
        for job, some in runs.items()
        for before, after in pairwise(sorted(some, key=lambda run: run.began))
        if before.ended is None or before.ended > after.began + CLOCK_SECONDS
        if job not in jobs or not _given_up(jobs[job], before)
    ]


def _given_up(job: Job, run: Run) -> bool:
    """Whether the books say that `run` was taken from its worker."""
    for error in job.errors:
        if error.get("attempt") == run.attempt:
            lost = LOST.search(error.get("message", ""))
            if error["error"] == "Interrupted" or (lost and int(lost[1]) == run.pid):
                return True
    return False


def no_lease_is_lost_without_a_cause(evidence: Evidence) -> Violations:
    """Only what keeps a worker from its heartbeat for most of the lease costs it the lease.

    Or what ends it: who is started in its place declares it dead at once.
    """
    least = evidence.lease_seconds * SHARE_OF_LEASE - CLOCK_SECONDS
    most = evidence.lease_seconds + LATEST_SECONDS
    return [
        f"worker {pid}: lost its lease at {at:.2f}, and nothing had been done to it"
        for pid, at in sorted(_losses(evidence))
        if not any(
            fault.touched(pid)
            and fault.began + (0 if fault.kind in ENDING else least) <= at <= fault.ended + most
            for fault in evidence.happened
        )
        if not any(began <= at <= ended + most for began, ended in evidence.stalls)
    ]


def _losses(evidence: Evidence) -> set[tuple[int, float]]:
    return {(pid, at) for job in evidence.jobs for pid, _, at in losses_of(job)}


def losses_of(job: Job) -> Iterator[tuple[int, int, float]]:
    """Give from which process a job was taken, in which attempt, and when, as the books say."""
    for error in job.errors:
        if error["error"] == "WorkerLost" and (lost := LOST.search(error["message"])):
            yield int(lost[1]), error["attempt"], _seconds(error["failed_at"])


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def jobs_are_interrupted_only_by_stops(evidence: Evidence) -> Violations:
    """A job is interrupted when its worker was told to stop and the grace time is over."""
    least = evidence.grace_seconds - CLOCK_SECONDS
    return [
        f"job {job.id} ({job.task}): interrupted at {at:.2f}, and no worker was stopped then"
        for job, at in _interruptions(evidence)
        if not any(
            fault.kind is Kind.TERMINATE
            and fault.began + least <= at <= fault.ended + LATEST_SECONDS
            for fault in evidence.happened
        )
    ]


def _interruptions(evidence: Evidence) -> Iterator[tuple[Job, float]]:
    for job in evidence.jobs:
        for error in job.errors:
            if error["error"] == "Interrupted":
                yield job, _seconds(error["failed_at"])


def processes_end_only_when_told(evidence: Evidence) -> Violations:
    """Outages are waited out: nothing but a signal ends a worker or a producer."""
    return [
        f"{end.name} (process {end.pid}): ended with {end.code}; "
        f"done to it: {', '.join(sorted(end.done_to_it)) or 'nothing'}"
        for end in evidence.exits
        if not any(end.code in EXIT_CODES[what] for what in end.done_to_it)
    ]


def the_books_know_the_living(evidence: Evidence) -> Violations:
    """At the end the workers in the books are those that run."""
    booked, alive = set(evidence.in_the_books), set(evidence.alive)
    gone = [f"worker {pid}: in the books, and gone" for pid in sorted(booked - alive)]
    return gone + [f"worker {pid}: runs, and not in the books" for pid in sorted(alive - booked)]
