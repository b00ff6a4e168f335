"""A producer: one transaction after another of business rows and their jobs.

What was acknowledged is noted. A transaction whose answer was lost is repeated until there is an
answer, with the same ids, as the documentation tells applications to do.
"""

from __future__ import annotations

import argparse
import random
import signal
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests.chaos import notes
from tests.chaos.orders import Order, enqueue, make_orders

STARTED = "started"
ACKNOWLEDGED = "acknowledged"
UNCERTAIN = "uncertain"

LONGEST_PAUSE_SECONDS = 0.1
# Some transactions stay open for a while after their enqueues: others meet their keys.
OPEN_SECONDS = (0.0, 0.0, 0.0, 0.02, 0.1, 0.5)
AGAIN_SECONDS = 0.2
CONNECT_SECONDS = 5

INSERT = "INSERT INTO orders (id, kind, key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1"
FIND = "SELECT job_id, outcome FROM orders WHERE id = %s"
UPDATE = "UPDATE orders SET job_id = %s, outcome = %s WHERE id = %s"

Answer = tuple[UUID, str]
"""The job of an order, and what became of its enqueue."""


class Producer:
    """Makes orders until it is told to stop. pooled: through PgBouncer in transaction mode."""

    def __init__(self, url: str, path: Path, seed: int, *, pooled: bool) -> None:
        self._url = url
        self._path = path
        self._chance = random.Random(seed)
        # PgBouncer hands the next transaction to a server that has not prepared the statement.
        self._prepare_threshold = None if pooled else 5
        self._connection: psycopg.Connection[Any] | None = None
        self._stop = False

    def stop(self, *_: object) -> None:
        self._stop = True

    def run(self) -> None:
        while not self._stop:
            orders = make_orders(self._chance)
            seconds = self._chance.choice(OPEN_SECONDS)
            for order, (job, outcome) in self._until_answered(orders, seconds):
                what = {"order": order.id, "kind": order.kind, "job": job, "outcome": outcome}
                notes.write(self._path, what=ACKNOWLEDGED, **what)
            time.sleep(self._chance.uniform(0, LONGEST_PAUSE_SECONDS))

    def _until_answered(
        self, orders: list[Order], open_seconds: float
    ) -> list[tuple[Order, Answer]]:
        """Repeat a transaction until it is known to be committed."""
        while True:
            try:
                return self._transaction(orders, open_seconds)
            except psycopg.Error as error:
                notes.write(self._path, what=UNCERTAIN, error=repr(error)[:200])
                self._connection = None
                time.sleep(AGAIN_SECONDS)

    def _transaction(self, orders: list[Order], open_seconds: float) -> list[tuple[Order, Answer]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                prepare_threshold=self._prepare_threshold,
            )
        with self._connection.transaction():
            answers = [(order, self._one(self._connection, order)) for order in orders]
            time.sleep(open_seconds)
        return answers

    def _one(self, connection: psycopg.Connection[Any], order: Order) -> Answer:
        """Insert the business row and enqueue its job; a repeat changes nothing."""
        fresh = connection.execute(INSERT, [order.id, order.kind, order.key]).fetchone()
        if fresh is None and not order.repeatable:
            # It was committed, and the answer lost.
            row = connection.execute(FIND, [order.id]).fetchone()
            assert row is not None
            return row[0], row[1]
        enqueued = enqueue(connection, order)
        if fresh is not None:
            connection.execute(UPDATE, [enqueued.id, enqueued.outcome, order.id])
        return enqueued.id, enqueued.outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pooled", action="store_true")
    given = parser.parse_args()
    # One that was killed goes on with other orders: those it was busy with stay as they are.
    starts = sum(line["what"] == STARTED for line in notes.read(given.path))
    notes.write(given.path, what=STARTED)
    seed = given.seed * 1000 + starts
    producer = Producer(given.url, given.path, seed, pooled=given.pooled)
    signal.signal(signal.SIGTERM, producer.stop)
    producer.run()


if __name__ == "__main__":
    main()
