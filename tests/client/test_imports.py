"""An application pays for no driver that it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

DRIVERS = {"sqlalchemy", "sqlmodel", "asyncpg", "django", "psycopg2", "greenlet", "alembic"}


@pytest.mark.parametrize(
    "program",
    [
        "import jobqueue",
        (
            "import jobqueue\n"
            "task = jobqueue.JobQueue().task(lambda: None, name='x')\n"
            "try: task.enqueue(5)\n"
            "except jobqueue.UnsupportedConnection: pass"
        ),
    ],
    ids=["imported", "asked about an object of no known kind"],
)
def test_no_driver_is_imported_that_the_application_did_not_import(program):
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert "jobqueue" in loaded
    assert loaded & DRIVERS == set()
