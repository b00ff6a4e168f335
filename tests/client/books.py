"""What the database holds, seen from outside the connection under test."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from jobqueue.store.database import to_conninfo


def rows(url: str, query: str, *params: object) -> list[dict[str, Any]]:
    """Give the rows of `query`, over a connection of its own."""
    with psycopg.connect(to_conninfo(url), autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(query, params)
        return cursor.fetchall() if cursor.description else []


def jobs(url: str) -> list[dict[str, Any]]:
    """Give every job that is committed, in the order of enqueue, with the arguments it will get.

    The view hides those of tasks that no worker has entered, as these are.
    """
    return rows(
        url,
        "SELECT shown.*, kept.args FROM jobqueue.all_jobs AS shown JOIN ("
        "SELECT id, args FROM jobqueue.jobs "
        "UNION ALL SELECT id, args FROM jobqueue.job_history "
        "UNION ALL SELECT id, args FROM jobqueue.dead_letters) AS kept USING (id) "
        "ORDER BY shown.enqueued_at, id",
    )
