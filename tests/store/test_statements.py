"""Every statement, found by its file: new ones are covered without a word here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

import jobqueue.store
from jobqueue.store.statement import sql

STORE = Path(jobqueue.store.__file__).parent
FILES = sorted((STORE / "sql").rglob("*.sql"))
NAMES = [path.relative_to(STORE / "sql").with_suffix("").as_posix() for path in FILES]

every_statement = pytest.mark.parametrize("name", NAMES)


def numbered(text: str) -> tuple[str, list[str]]:
    """Give psycopg's text as the server reads it, with $1, $2 …, and the parameters' names."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, name in enumerate(names, 1):
        text = text.replace(f"%({name})s", f"${number}")
    return text.replace("%%", "%"), names


def test_the_statements_are_found():
    assert {"jobs/claim", "jobs/enqueue", "workers/heartbeat"} <= set(NAMES)


@every_statement
def test_a_statement_is_prepared_by_the_server(connection: psycopg.Connection, name: str):
    text, parameters = numbered(sql(name))
    result = connection.pgconn.prepare(b"", text.encode())
    assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message.decode()
    described = connection.pgconn.describe_prepared(b"")
    assert described.nparams == len(parameters)


@every_statement
def test_a_statement_is_planned_without_knowing_its_parameters(
    connection: psycopg.Connection, name: str
):
    text, _ = numbered(sql(name))
    if text.startswith("LISTEN"):
        return  # there is nothing to plan
    assert connection.pgconn.exec_(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).status == (
        pq.ExecStatus.TUPLES_OK
    )


@every_statement
def test_a_file_holds_one_statement_under_a_header_that_says_its_purpose(name: str):
    lines = (STORE / "sql" / f"{name}.sql").read_text().splitlines()
    assert re.match(r"-- [A-Z]\w+ ", lines[0])
    assert ";" not in sql(name)
    assert sql(name)


@every_statement
def test_a_statement_is_used_by_the_store(name: str):
    code = "\n".join(path.read_text() for path in STORE.glob("*.py"))
    assert f'"{name}"' in code, f"no statement in {STORE} uses {name}.sql"


def test_sql_lives_nowhere_else():
    package = STORE.parent
    keyword = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|LISTEN|NOTIFY|CREATE|DROP) ")
    found = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and keyword.match(node.value)
    ]
    assert found == []
