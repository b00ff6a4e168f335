"""Through every kind of connection: whatever befalls a transaction, jobs are business rows.

JOBQUEUE_TEST_TRANSACTIONS is how many there are: 60 if it is not set, six with each fault.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from jobqueue import JobQueue
from tests.client.books import rows
from tests.client.kinds import KINDS, Kind

TRANSACTIONS = int(os.environ.get("JOBQUEUE_TEST_TRANSACTIONS", "60"))

queue = JobQueue()


@queue.task
def ship(order: int) -> None: ...


class Refused(Exception):
    """What the application raises in the middle."""


FAULTS = [
    "none",
    "rollback",
    "savepoint",
    "exception",
    "failed insert",
    "none",
    "many",
    "bulk",
    "bad bulk",
    "killed before commit",
]


@pytest.fixture
def orders(database_url: str) -> str:
    """URL of a database with a table in which 0 is taken."""
    rows(database_url, "CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY)")
    rows(database_url, "TRUNCATE orders")
    return database_url


async def one_transaction(kind: Kind, connection: Any, number: int, fault: str) -> None:
    """Insert the order and its job, with a fault in between or after."""
    await kind.execute(connection, f"INSERT INTO orders VALUES ({number})")
    if fault == "many":
        await kind.enqueue_many(ship, connection, [{"order": number}])
    elif fault in {"bulk", "bad bulk"}:
        items: list[dict[str, object]] = [{"order": number}] * (fault == "bulk")
        await kind.enqueue_bulk(ship, connection, items or [{"order": number}, {"order": "x"}])
    else:
        await kind.enqueue(ship, connection, order=number)
    if fault == "savepoint":
        with pytest.raises(Refused):
            await in_a_savepoint(kind, connection, -number)
    if fault == "exception":
        raise Refused
    if fault == "failed insert":
        await kind.execute(connection, f"INSERT INTO orders VALUES ({number})")
    if fault == "killed before commit":
        await kind.execute(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
    await (kind.rollback if fault == "rollback" else kind.commit)(connection)


async def in_a_savepoint(kind: Kind, connection: Any, number: int) -> None:
    async with kind.savepoint(connection):
        await kind.execute(connection, f"INSERT INTO orders VALUES ({number})")
        await kind.enqueue(ship, connection, order=number)
        raise Refused


async def all_transactions(kind: Kind, url: str) -> set[int]:
    """Work through all of them, over new connections where need be; give those that committed."""
    committed: set[int] = set()
    number = 0
    while number < TRANSACTIONS:
        try:
            async with kind.open(url) as connection:
                while number < TRANSACTIONS:
                    number += 1
                    fault = FAULTS[number % len(FAULTS)]
                    try:
                        await one_transaction(kind, connection, number, fault)
                    except Exception:
                        if fault in {"none", "many", "bulk", "savepoint", "rollback"}:
                            raise AssertionError(f"{fault}: failed") from None
                        if fault == "killed before commit":
                            raise
                        await kind.rollback(connection)
                    else:
                        assert fault in {"none", "many", "bulk", "savepoint", "rollback"}
                        if fault != "rollback":
                            committed.add(number)
        except AssertionError:
            raise
        except Exception:
            assert FAULTS[number % len(FAULTS)] == "killed before commit"
    return committed


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_jobs_are_business_rows_whatever_befalls_their_transactions(kind: Kind, orders: str):
    committed = asyncio.run(all_transactions(kind, orders))
    made = [row["id"] for row in rows(orders, "SELECT id FROM orders ORDER BY id")]
    enqueued = rows(orders, "SELECT (args ->> 'order')::int AS n FROM jobqueue.jobs ORDER BY 1")
    assert made == sorted(committed)
    assert [row["n"] for row in enqueued] == made
    assert len(made) == sum(
        FAULTS[n % len(FAULTS)] in {"none", "many", "bulk", "savepoint"}
        for n in range(1, TRANSACTIONS + 1)
    )
