"""A database that refuses an enqueue is an error that does not show the arguments."""

from __future__ import annotations

import asyncio
import traceback
from typing import Annotated, Any

import pytest

from jobqueue import JobQueue, Secret
from tests.client.kinds import KINDS, Kind

HUSH = "HUNTER2"
SQLALCHEMY = [kind for kind in KINDS if hasattr(kind, "driver")]

jobs = JobQueue()


@jobs.task
def connect(token: Annotated[str, Secret]) -> None: ...


async def one(kind: Kind, connection: Any) -> None:
    await kind.enqueue(connect, connection, token=HUSH)


async def later(kind: Kind, connection: Any) -> None:
    await kind.enqueue(connect.using(delay=60), connection, token=HUSH)


async def many(kind: Kind, connection: Any) -> None:
    await kind.enqueue_many(connect, connection, [{"token": HUSH}])


async def bulk(kind: Kind, connection: Any) -> None:
    await kind.enqueue_bulk(connect, connection, [{"token": HUSH}])


@pytest.mark.parametrize("enqueue", [one, later, many, bulk])
@pytest.mark.parametrize("kind", SQLALCHEMY, ids=str)
@pytest.mark.parametrize("state", ["failed", "read-only"])
def test_a_transaction_that_takes_no_more_does_not_show_the_arguments(
    kind, enqueue, state, database_url
):
    async def refusal() -> BaseException:
        async with kind.open(database_url) as connection:
            if state == "failed":
                with pytest.raises(Exception, match="division by zero"):
                    await kind.execute(connection, "SELECT 1 / 0")
            else:
                await kind.execute(connection, "SET TRANSACTION READ ONLY")
            # COPY, which is the driver's own, raises the driver's own error.
            with pytest.raises(Exception, match=r"read-only|current transaction") as refused:
                await enqueue(kind, connection)
            await kind.rollback(connection)
            return refused.value

    assert HUSH not in "".join(traceback.format_exception(asyncio.run(refusal())))
