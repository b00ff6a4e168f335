"""The people: who signs up, and a process that does it in their place.

    python -m examples.email_pipeline.sign_ups
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from examples.email_pipeline.app import jobs, sign_up

SIGN_UPS = 1_000
PER_SECOND = 150
# Of so many sign-ups, one is given up before its transaction commits.
ONE_ABANDONED_IN = 10
WITHOUT_MAILBOX = (123, 456, 789)


@dataclass(frozen=True, slots=True)
class SignUp:
    """One sign-up. abandoned: its transaction rolls back; has_mailbox: mail to it can arrive."""

    name: str
    email: str
    abandoned: bool
    has_mailbox: bool


def plan() -> list[SignUp]:
    """Give all sign-ups, the same in every run."""
    return [
        SignUp(
            name=f"User {number}",
            email=f"user{number:04}@example.org",
            abandoned=number % ONE_ABANDONED_IN == 0,
            has_mailbox=number not in WITHOUT_MAILBOX,
        )
        for number in range(SIGN_UPS)
    ]


def main() -> None:
    """Sign everybody up, each in a transaction, at the pace of a busy site."""
    began = time.monotonic()
    with jobs.connect() as connection:
        for number, person in enumerate(plan()):
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            with connection.transaction(force_rollback=person.abandoned):
                sign_up(connection, person.name, person.email)


if __name__ == "__main__":
    main()
