"""The application: one handler that a batch and webhooks enqueue, under the CRM's limit."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
from typing import Any

from jobqueue import Hold, JobQueue, RateLimit, Unique, current_job

RECORDS = 150

jobs = JobQueue()

# The CRM allows 50 a second, by when calls arrive; what the network adds is left room for.
crm_limit = RateLimit("crm", 50, per=1.1)


def _record(record_id: int) -> str:
    return str(record_id)


# A record that waits already is not enqueued again, whoever asks.
@jobs.task(
    queue="sync",
    rate_limit=crm_limit,
    unique=Unique.skip(_record),
)
async def sync_record(record_id: int, source: str) -> None:
    """Write a record as the CRM has it now; again does no harm."""
    status, record = await asyncio.to_thread(_get, f"/records/{record_id}")
    if status == http.client.TOO_MANY_REQUESTS:
        raise Hold(after=1)
    async with current_job().transaction() as connection:
        await connection.execute(
            "INSERT INTO customers (id, name, source) VALUES (%s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, synced = customers.synced + 1",
            [record_id, record["name"], source],
        )


@jobs.schedule(every=2)
@jobs.task(queue="sync")
def sync_all() -> None:
    """Enqueue every record that the CRM has."""
    with jobs.transaction() as connection:
        sync_record.enqueue_many(
            connection,
            ({"record_id": number, "source": "batch"} for number in range(RECORDS)),
        )


def _get(path: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["CRM_PORT"]), timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
