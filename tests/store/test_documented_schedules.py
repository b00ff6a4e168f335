"""What the documents show of schedules can be done so."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from jobqueue import JobQueue
from jobqueue.store import schedules
from tests.store.steps import do

DOCUMENTS = Path(__file__).parents[2] / "docs"


def block(document: str, part: str, language: str) -> str:
    """Give the first block of code under a heading of a document."""
    _, _, text = (DOCUMENTS / document).read_text().partition(part)
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_python(session: psycopg.Connection) -> None:
    names: dict[str, object] = {}
    exec(block("schedules.md", "# Schedules", "python"), names)
    jobs = names["jobs"]
    assert isinstance(jobs, JobQueue)
    placed = do(session, schedules.place("docs", list(jobs.schedules.values())))
    assert [one.name for one in placed] == ["daily sales", "stock", "sync_orders", "the decade"]


def test_the_sql(session: psycopg.Connection) -> None:
    session.execute(
        "INSERT INTO jobqueue.schedules (name, task, every_seconds) VALUES ('stock', 'report', 60)"
    )
    for statement in block("sql.md", "## Schedules", "sql").split(";\n"):
        session.execute(statement.encode())
    query = "SELECT name FROM jobqueue.schedules"
    assert session.execute(query).fetchall() == [("daily sales",)]
