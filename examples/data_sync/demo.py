"""Play it: `python -m examples.data_sync.demo`."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from examples.data_sync.app import RECORDS, sync_record
from examples.email_pipeline import database
from examples.email_pipeline.processes import Child, Children, DemoError
from jobqueue.store.database import to_conninfo

FOLDER = Path(".jobqueue/data-sync")
WEBHOOKS = 100
SECONDS = 60.0


def main() -> int:
    """Play the demo, and give the exit code: 0 if every record is there and no call was refused."""
    console = Console(highlight=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    address = FOLDER / "crm.port"
    address.unlink(missing_ok=True)
    console.print("Starting PostgreSQL with a fresh database")
    with database.fresh(FOLDER / "postgres") as url, Children(FOLDER, os.environ) as children:
        children.start("crm", "examples.data_sync.crm", str(address))
        _until(address.exists, children)
        port = int(address.read_text())
        with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE customers "
                "(id integer PRIMARY KEY, name text, source text, synced integer DEFAULT 1)"
            )
            victim = _worker(children, "worker-0", url, port)
            _worker(children, "worker-1", url, port)
            console.print("Two workers; a batch by the clock, and webhooks, under one limit")
            _until(lambda: _count(connection) > 0, children)
            for number in range(WEBHOOKS):
                sync_record.enqueue(connection, record_id=RECORDS + number, source="webhook")
            _until(lambda: _count(connection) > RECORDS // 2, children)
            victim.kill()
            console.print("Killed a worker, started another")
            _worker(children, "worker-2", url, port)
            _until(lambda: _count(connection) == RECORDS + WEBHOOKS, children)
        counts = _counts(port)
    console.print(
        f"Records: {RECORDS + WEBHOOKS}. Calls: {counts['calls']}, refused: {counts['refused']}"
    )
    return 1 if counts["refused"] else 0


def _worker(children: Children, name: str, url: str, port: int) -> Child:
    return children.start(
        *(name, "jobqueue", "worker", "examples.data_sync.app:jobs", "--lease", "3s"),
        JOBQUEUE_DATABASE_URL=url,
        CRM_PORT=str(port),
    )


def _count(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM customers").fetchone()
    return row[0] if row else 0


def _counts(port: int) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/counts")
    return json.loads(connection.getresponse().read())


def _until(condition: Callable[[], bool], children: Children) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        children.check()
        if time.monotonic() > deadline:
            raise DemoError(f"not within {SECONDS:g} s; see {FOLDER}")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
