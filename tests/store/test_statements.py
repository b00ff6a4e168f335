"""Every statement, found by its file: new ones are covered without a word here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

import jobqueue.store
from jobqueue.store.grants import Purpose, grants
from jobqueue.store.statement import sql

STORE = Path(jobqueue.store.__file__).parent
FILES = sorted((STORE / "sql").rglob("*.sql"))
NAMES = [path.relative_to(STORE / "sql").with_suffix("").as_posix() for path in FILES]

COMPOSED = {f"grants/{purpose}": purpose for purpose in Purpose}
# More than one command, each run as it stands, without parameters.
SCRIPTS = {*COMPOSED, "schema/version_table"}
# Commands the server has no plan for.
BLOCKS = {name for name in NAMES if sql(name).startswith("DO ")}
UTILITIES = (
    SCRIPTS
    | BLOCKS
    | {"jobs/copy", "leader/listen", "workers/listen", "workers/listen_cancel"}
    | {"pauses/listen"}
)

every_statement = pytest.mark.parametrize("name", NAMES)


def commands(name: str) -> list[str]:
    """Give the commands of a file as they are sent; that is one, but for scripts."""
    text = sql(name)
    if name in COMPOSED:
        text = grants('a "role" of ours', COMPOSED[name]).as_string()
    return [part for part in text.split(";") if part.strip()] if name in SCRIPTS else [text]


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
    for command in commands(name):
        text, parameters = numbered(command)
        result = connection.pgconn.prepare(b"", text.encode())
        assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message.decode()
        described = connection.pgconn.describe_prepared(b"")
        assert described.nparams == len(parameters)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UTILITIES])
def test_a_statement_is_planned_without_knowing_its_parameters(
    connection: psycopg.Connection, name: str
):
    text, _ = numbered(sql(name))
    assert connection.pgconn.exec_(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).status == (
        pq.ExecStatus.TUPLES_OK
    )


@pytest.mark.parametrize("name", sorted(UTILITIES))
def test_a_command_that_is_not_planned_is_none_that_could_be(
    connection: psycopg.Connection, name: str
):
    for command in commands(name):
        result = connection.pgconn.exec_(f"EXPLAIN {command}".encode())
        assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"42601"  # a syntax error
        connection.rollback()


@every_statement
def test_a_file_has_a_header_that_says_its_purpose(name: str):
    lines = (STORE / "sql" / f"{name}.sql").read_text().splitlines()
    assert re.match(r"-- [A-Z]\w+", lines[0])


@every_statement
def test_a_file_holds_one_statement_unless_it_is_a_script(name: str):
    assert sql(name)
    assert (len(commands(name)) > 1) == (name in SCRIPTS)
    if name not in SCRIPTS | BLOCKS:
        assert ";" not in sql(name)


@every_statement
def test_a_statement_is_used_by_the_store(name: str):
    if name in COMPOSED:  # its name is made of the purpose; `commands` has used it that way
        assert commands(name)
        return
    code = "\n".join(path.read_text() for path in STORE.parent.rglob("*.py"))
    assert f'"{name}"' in code, f"no statement uses {name}.sql"


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
