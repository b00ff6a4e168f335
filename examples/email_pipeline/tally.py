"""The sums at the end, from the database and the mail server's record: are they right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from rich.box import SIMPLE_HEAD
from rich.table import Table

from examples.email_pipeline.record import Mail
from examples.email_pipeline.sign_ups import Plan

JOBS = """
    SELECT job.id::text, job.state, job.attempt, users.email,
           coalesce(job.errors, '[]') AS errors
    FROM jobqueue.all_jobs AS job
    LEFT JOIN users ON users.id = (job.args ->> 'user_id')::bigint
    ORDER BY job.enqueued_at
"""

# As jobs keep them: the mail server's 451, and the end of a worker that was killed.
TEMPORARY_REFUSAL = "smtplib.SMTPRecipientsRefused"
WORKER_LOST = "WorkerLost"


@dataclass(frozen=True, slots=True)
class Job:
    """A job and the user it is for. email: None if there is no such user."""

    id: str
    state: str
    attempt: int
    email: str | None
    errors: list[dict[str, Any]]

    def failures(self, error: str) -> int:
        """Attempts that ended with `error` and were followed by another."""
        return sum(
            past["error"] == error and past["attempt"] < self.attempt for past in self.errors
        )


@dataclass(frozen=True, slots=True)
class Sum:
    """One line of the table. expected: None where any number is right."""

    what: str
    found: int
    expected: int | None = None
    note: str = ""

    @property
    def wrong(self) -> bool:
        """Whether it is not what it must be."""
        return self.expected is not None and self.found != self.expected


@dataclass(frozen=True, slots=True)
class Tally:
    """The end of a run. dead_letters: their jobs."""

    sums: list[Sum]
    dead_letters: list[Job]

    @property
    def wrong(self) -> list[Sum]:
        """The sums that are not what they must be."""
        return [one for one in self.sums if one.wrong]


def count(connection: psycopg.Connection[Any], mails: Sequence[Mail], plan: Plan) -> Tally:
    """Count what came of the plan."""
    users = {email for (email,) in connection.execute("SELECT email FROM users").fetchall()}
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        jobs = cursor.execute(JOBS).fetchall()
    dead_letters = [job for job in jobs if job.state == "dead"]
    return Tally(
        sums=[
            Sum("users committed", len(users), plan.users),
            Sum("jobs", len(jobs), plan.users, "one for each user"),
            *_delivered(mails, plan),
            *_tried_again(jobs),
            Sum("dead letters", len(dead_letters), plan.users - plan.reachable, "listed below"),
            *_never(users, jobs, mails),
        ],
        dead_letters=dead_letters,
    )


def _delivered(mails: Sequence[Mail], plan: Plan) -> list[Sum]:
    return [
        Sum("mails delivered", len(mails)),
        Sum("distinct recipients", len({mail.recipient for mail in mails}), plan.reachable),
        Sum(
            "duplicates",
            len(mails) - len({mail.job_id for mail in mails}),
            note="sent, then killed before the ack",
        ),
    ]


def _tried_again(jobs: Sequence[Job]) -> list[Sum]:
    return [
        Sum(
            "retries",
            sum(job.failures(TEMPORARY_REFUSAL) for job in jobs),
            note="the mail server said: later",
        ),
        Sum(
            "rescues",
            sum(job.failures(WORKER_LOST) for job in jobs),
            note="taken back from the killed worker",
        ),
    ]


def _never(users: set[str], jobs: Sequence[Job], mails: Sequence[Mail]) -> list[Sum]:
    """Give what must not happen: each of these is 0, or the queue is broken."""
    sent = {mail.job_id for mail in mails}
    settled = {
        job.email
        for job in jobs
        if job.state == "dead" or (job.state == "completed" and job.id in sent)
    }
    strays = [job for job in jobs if job.email is None]
    strays += [mail for mail in mails if mail.recipient not in users]
    unfinished = [job for job in jobs if job.state not in {"completed", "cancelled", "dead"}]
    return [
        Sum("lost", len(users - settled), 0, "neither mail nor dead letter"),
        Sum("of rolled-back users", len(strays), 0, "jobs and mails"),
        Sum("unfinished jobs", len(unfinished), 0),
    ]


def sums_table(tally: Tally) -> Table:
    """Lay out the sums."""
    table = Table(title="What came of it", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("expected", justify="right")
    table.add_column("", style="dim")
    for one in tally.sums:
        expected = "" if one.expected is None else str(one.expected)
        style = "bold red" if one.wrong else None
        table.add_row(one.what, str(one.found), expected, one.note, style=style)
    return table


def dead_letters_table(tally: Tally) -> Table:
    """Lay out the dead letters, each with its last error."""
    table = Table(title="Dead letters", box=SIMPLE_HEAD)
    table.add_column("recipient")
    table.add_column("tried", justify="right")
    table.add_column("error")
    for job in tally.dead_letters:
        table.add_row(job.email or "?", str(job.attempt), job.errors[-1]["message"])
    return table
