"""What producers order: business rows of many kinds, each with the job that it needs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from jobqueue import Enqueued, Unique
from tests.chaos import application as app

OWN_ID = "own id"
OWN_KEY = "idempotency key"
SWEPT = "swept"
SWEPT_LATER = "swept later"
UNIQUE = frozenset({SWEPT, SWEPT_LATER})
KEYED = "keyed"
ORDERED = "ordered"
WITH_KEYS = UNIQUE | {KEYED, ORDERED}
KEYS = 3

# How many orders a transaction makes: mostly few, at times a burst that keeps workers busy.
NUMBERS = (1, 2, 3, 40)
NUMBER_WEIGHTS = (20, 15, 10, 2)
SECONDS = (0.3, 4.0)


@dataclass(frozen=True, slots=True)
class Order:
    """A business row to be inserted. seconds: how long its job takes or waits, if it does."""

    id: UUID
    kind: str
    key: str | None
    seconds: float

    @property
    def repeatable(self) -> bool:
        """Whether its enqueue may be repeated blindly: an id or a key of its own sees to it."""
        return self.kind in {OWN_ID, OWN_KEY}


Enqueue = Callable[[psycopg.Connection[Any], Order], Enqueued]


def _key(order: Order) -> str:
    assert order.key is not None
    return order.key


def _sweep(unique: Callable[[str], Unique]) -> Enqueue:
    """Enqueue what looks after all orders under a key, unless it waits already."""

    def enqueue(connection: psycopg.Connection[Any], order: Order) -> Enqueued:
        key = _key(order)
        task = app.sweep.using(unique=unique(f"{order.kind}: {key}"))
        return task.enqueue(connection, order.kind, key)

    return enqueue


# Each kind: how often it is ordered beside the others, and how its job is enqueued.
KINDS: dict[str, tuple[int, Enqueue]] = {
    "plain": (6, lambda to, order: app.plain.enqueue(to, order.id)),
    OWN_ID: (4, lambda to, order: app.plain.using(job_id=order.id).enqueue(to, order.id)),
    OWN_KEY: (
        4,
        lambda to, order: app.plain.using(idempotency_key=str(order.id)).enqueue(to, order.id),
    ),
    "delayed": (3, lambda to, order: app.plain.using(delay=order.seconds).enqueue(to, order.id)),
    "thread": (4, lambda to, order: app.in_a_thread.enqueue(to, order.id)),
    "process": (3, lambda to, order: app.in_a_process.enqueue(to, order.id)),
    "slow in a process": (
        1,
        lambda to, order: app.slow_in_a_process.enqueue(to, order.id, order.seconds),
    ),
    "effect in a process": (3, lambda to, order: app.effect_in_a_process.enqueue(to, order.id)),
    "effect": (6, lambda to, order: app.effect.enqueue(to, order.id)),
    "effect in a thread": (6, lambda to, order: app.effect_in_a_thread.enqueue(to, order.id)),
    "slow effect": (1, lambda to, order: app.slow_effect.enqueue(to, order.id, order.seconds)),
    "fails once": (2, lambda to, order: app.fails_once.enqueue(to, order.id)),
    "always fails": (1, lambda to, order: app.always_fails.enqueue(to, order.id)),
    "slow": (1, lambda to, order: app.slow.enqueue(to, order.id, order.seconds)),
    "slow in a thread": (
        1,
        lambda to, order: app.slow_in_a_thread.enqueue(to, order.id, order.seconds),
    ),
    "snoozes": (2, lambda to, order: app.snoozes.enqueue(to, order.id)),
    SWEPT: (4, _sweep(Unique.skip)),
    SWEPT_LATER: (4, _sweep(lambda key: Unique.debounce(key, delay=0.5, longest=2.0))),
    "paced": (4, lambda to, order: app.paced.enqueue(to, order.id)),
    "paced with others": (
        1,
        lambda to, order: app.paced_with_others.enqueue(to, order.id, order.seconds),
    ),
    KEYED: (4, lambda to, order: app.keyed.enqueue(to, order.id, _key(order), order.seconds)),
    ORDERED: (3, lambda to, order: app.ordered.enqueue(to, order.id, _key(order))),
}


def make_orders(chance: random.Random) -> list[Order]:
    """Give the orders of one transaction, their keys in any order."""
    weights = [weight for weight, _ in KINDS.values()]
    number = chance.choices(NUMBERS, NUMBER_WEIGHTS)[0]
    return [
        Order(
            UUID(int=chance.getrandbits(128), version=4),
            kind,
            f"key {chance.randrange(KEYS)}" if kind in WITH_KEYS else None,
            round(chance.uniform(*SECONDS), 2),
        )
        for kind in chance.choices(list(KINDS), weights, k=number)
    ]


def enqueue(connection: psycopg.Connection[Any], order: Order) -> Enqueued:
    """Enqueue the job of an order in the transaction of `connection`."""
    return KINDS[order.kind][1](connection, order)
