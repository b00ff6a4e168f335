"""A hot statement uses the index that its header names, on a table of a size worth an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from jobqueue.store.claims import FIRST_ID
from jobqueue.store.database import session_settings, to_conninfo
from jobqueue.store.statement import sql
from tests.conftest import new_database
from tests.store.steps import do
from tests.store.test_statements import FILES, NAMES, numbered

FILL = """
SELECT jobqueue.enqueue_many_v1('task_' || t, args, queue => 'q' || q, priority => p)
FROM (SELECT jsonb_agg(jsonb_build_object('n', n)) AS args FROM generate_series(1, 500) AS n) AS a,
     generate_series(1, 3) AS t, generate_series(1, 3) AS q, generate_series(1, 3) AS p;

SELECT jobqueue.enqueue_many_v1('task_1', args, queue => 'q1', delay => make_interval(hours => h))
FROM (SELECT jsonb_agg('{}'::jsonb) AS args FROM generate_series(1, 500)) AS a,
     generate_series(1, 6) AS h;

INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency, expires_at)
SELECT 'w' || n, 'h', n, '{q1}', 100, 'infinity' FROM generate_series(1, 20) AS n;

UPDATE jobqueue.jobs SET state = 'running', attempt = 1, started_at = now(),
    worker_id = (SELECT min(id) FROM jobqueue.workers)
        + ('x' || right(id::text, 2))::bit(8)::integer % 20
WHERE queue = 'q3' AND priority = 1;

INSERT INTO jobqueue.dead_letters
SELECT jobqueue.uuid_v7(), now(), now(), now(), now() - make_interval(secs => n), 1, 5, 5, 5,
       'q' || n % 3, 'task_' || n % 5, '{}', '[]'
FROM generate_series(1, 5000) AS n;
"""


def hot_statements() -> Iterator[tuple[str, str]]:
    for path, name in zip(FILES, NAMES, strict=True):
        for index in re.findall(r"^-- index: (\w+)", path.read_text(), re.MULTILINE):
            yield name, index


HOT = list(hot_statements())


@pytest.fixture(scope="module")
def filled(server_url: str, template: str) -> Iterator[psycopg.Connection]:
    """A worker's session on a database with some 20,000 jobs, analysed."""
    for url in new_database(server_url, template):
        with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
            connection.execute(FILL)
            connection.execute("VACUUM ANALYZE")
            do(connection, session_settings("5s"))
            yield connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def indexes(connection: psycopg.Connection, plan: list[dict[str, Any]]) -> set[str]:
    """Name the indexes of a plan: those it reads, and those that decide about ON CONFLICT."""
    found = {node["Index Name"] for node in plan if "Index Name" in node}
    for node in plan:
        if "Conflict Resolution" in node:
            # Without a conflict target every unique index of the table decides, and none is named.
            found |= set(node.get("Conflict Arbiter Indexes") or unique_indexes(connection, node))
    return found


def unique_indexes(connection: psycopg.Connection, node: dict[str, Any]) -> list[str]:
    query = (
        "SELECT indexrelid::regclass::text FROM pg_index "
        "WHERE indisunique AND indrelid = ('jobqueue.' || %s::text)::regclass"
    )
    rows = connection.execute(query, [node["Relation Name"]]).fetchall()
    return [name.removeprefix("jobqueue.") for (name,) in rows]


def plan_of(
    connection: psycopg.Connection, name: str, *, analyse: bool = False, **params: str
) -> list[dict[str, Any]]:
    """Give the nodes of the plan a worker's session runs `name` by. params: SQL literals."""
    text, parameters = numbered(sql(name))
    values = ", ".join(params.get(parameter, "NULL") for parameter in parameters)
    connection.execute(f"PREPARE hot AS {text}".encode(), prepare=False)
    options = f"FORMAT JSON, ANALYZE {analyse}"
    call = f"EXPLAIN ({options}) EXECUTE hot" + (f"({values})" if values else "")
    [(plan,)] = connection.execute(call.encode(), prepare=False).fetchall()
    connection.execute("DEALLOCATE hot", prepare=False)
    return list(nodes(plan[0]["Plan"]))


def test_there_are_hot_statements():
    assert {"jobs/claim", "jobs/promote", "jobs/ack_completed"} <= {name for name, _ in HOT}


@pytest.mark.parametrize(("name", "index"), HOT)
def test_a_hot_statement_uses_the_index_its_header_names(filled, name, index):
    plan = plan_of(filled, name)
    assert index in indexes(filled, plan)
    scanned = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    assert not scanned & {"jobs", "dead_letters"}


@pytest.mark.parametrize(("name", "index"), [hot for hot in HOT if hot[0].startswith("jobs/")])
def test_a_hot_statement_uses_it_also_when_planned_before_there_was_a_job(session, name, index):
    # A worker's plan is kept until the table is next analysed, a minute or so into a flood of jobs.
    assert index in indexes(session, plan_of(session, name))


def test_a_claim_reads_no_more_of_a_queue_than_it_takes(filled):
    with filled.transaction(force_rollback=True):
        plan = plan_of(
            filled,
            "jobs/claim",
            analyse=True,
            worker_id="1",
            tasks="'{task_1,task_2,task_3}'",
            queues="'{q1,q2}'",
            limits="'{5,5}'",
            firsts="'{1,2}'",
            lasts="'{1,2}'",
            after_priority="'{-32768,-32768}'",
            after_run_at="'{-infinity,-infinity}'",
            after_id=f"'{{{FIRST_ID},{FIRST_ID}}}'",
            to_priority="'{32768,32768}'",
        )
    [scan] = [node for node in plan if node.get("Index Name") == "jobs_claim"]
    assert scan["Actual Rows"] * scan["Actual Loops"] == 10
    assert not [node for node in plan if node["Node Type"] == "Sort" and node["Actual Rows"] > 10]


def test_promotion_does_not_read_jobs_that_are_due_later(filled):
    with filled.transaction(force_rollback=True):
        plan = plan_of(filled, "jobs/promote", analyse=True, limit="100")
    scans = [node for node in plan if node.get("Index Name") == "jobs_scheduled"]
    assert scans
    assert sum(node.get("Rows Removed by Filter", 0) for node in scans) == 0
    assert max(node["Actual Rows"] for node in scans) <= 1


def test_an_ack_reads_only_its_own_jobs(filled):
    with filled.transaction(force_rollback=True):
        ids = filled.execute(
            "SELECT array_agg(id)::text FROM "
            "(SELECT id FROM jobqueue.jobs WHERE state = 'running' LIMIT 5) AS five"
        ).fetchone()
        assert ids is not None
        plan = plan_of(
            filled,
            "jobs/ack_completed",
            analyse=True,
            ids=f"'{ids[0]}'",
            leases="'{1,1,1,1,1}'",
            run_ms="'{1,1,1,1,1}'",
        )
    [scan] = [node for node in plan if node.get("Index Name") == "jobs_pkey"]
    read = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)  # averages, for each loop
    assert read * scan["Actual Loops"] <= 10
