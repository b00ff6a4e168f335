"""The people: who is to sign up, and a process that does it in their place."""

from __future__ import annotations

import time
from dataclasses import dataclass

from examples.email_pipeline.app import jobs, sign_up

SIGN_UPS = 1_000
PER_SECOND = 150
# One sign-up in so many is given up before its transaction commits.
ONE_ABANDONED_IN = 10
WITHOUT_MAILBOX = (123, 456, 789)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs up. abandons: the transaction rolls back."""

    name: str
    email: str
    abandons: bool
    has_mailbox: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Who signs up, and what must come of it."""

    people: tuple[Person, ...]

    @property
    def users(self) -> int:
        """How many become users."""
        return sum(not person.abandons for person in self.people)

    @property
    def reachable(self) -> int:
        """How many users a mail can reach."""
        return sum(person.has_mailbox and not person.abandons for person in self.people)

    @property
    def without_mailbox(self) -> list[str]:
        """Addresses that the mail server refuses."""
        return [person.email for person in self.people if not person.has_mailbox]


def plan() -> Plan:
    """Give the plan: the same in every run."""
    return Plan(
        tuple(
            Person(
                name=f"User {number}",
                email=f"user{number:04}@example.org",
                abandons=number % ONE_ABANDONED_IN == 0,
                has_mailbox=number not in WITHOUT_MAILBOX,
            )
            for number in range(SIGN_UPS)
        )
    )


def main() -> None:
    """Sign everybody up, each in a transaction, at the pace of a busy site."""
    began = time.monotonic()
    with jobs.connect() as connection:
        for number, person in enumerate(plan().people):
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            with connection.transaction(force_rollback=person.abandons):
                sign_up(connection, person.name, person.email)


if __name__ == "__main__":
    main()
