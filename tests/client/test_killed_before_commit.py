"""A process that is killed within its transaction leaves neither its row nor its job."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests import waiting
from tests.client.books import jobs, rows

PROGRAM = """
import os, signal, sys
import psycopg
from jobqueue import JobQueue

jobs = JobQueue()

@jobs.task
def send_welcome(user_id: int) -> None: ...

connection = psycopg.connect(sys.argv[1])
connection.execute("INSERT INTO users VALUES (42)")
print(send_welcome.enqueue(connection, user_id=42).outcome, flush=True)
if sys.argv[2] == "after":
    connection.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""


def others(url: str) -> list[dict[str, object]]:
    """Give the sessions on the database beside the one that asks."""
    return rows(
        url,
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@pytest.mark.parametrize(("killed", "kept"), [("before", 0), ("after", 1)])
def test_a_process_killed_around_its_commit_leaves_both_or_neither(database_url, killed, kept):
    rows(database_url, "CREATE TABLE IF NOT EXISTS users (id integer)")
    rows(database_url, "TRUNCATE users")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url, killed],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "inserted\n"), ended.stderr
    waiting.until(lambda: not others(database_url), what="the killed session is gone")
    assert len(rows(database_url, "SELECT id FROM users")) == kept
    assert len(jobs(database_url)) == kept
