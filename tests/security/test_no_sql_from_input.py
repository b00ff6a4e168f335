"""No SQL is made of input: the text that is sent is text that was written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest

from tests.security.functions import functions
from tests.security.source import PYTHON, SQL, STATEMENT, built, label, sends, texts

# Each with the reason why no input can be in it.
BUILT = {
    "jobqueue/store/grants.py": {
        "sql(f'grants/{purpose}')": "a file's name, of a member of an enum",
        "compose.SQL(text)": "that file; the role's name is put into it as an Identifier",
    },
    "jobqueue/store/migrations.py": {
        "show(f\"{sql('schema/lock')};\")": "a file of this package and a semicolon, to be printed",
        "show(f\"{sql('schema/version_table')};\")": "the same",
        "show(step.replace('{revision}', script.revision).replace('{script}', body))":
            "files of this package, to be printed",
    },
    "migrations/env.py": {
        "context.execute(statement)": "a number that is a constant of that file",
    },
}  # fmt: skip

WORDS_OF_SQL = {
    ("jobqueue/cli/grants.py", "CREATE ROLE"): "advice, in a message",
    ("migrations/env.py", "SELECT pg_advisory_xact_lock"): "Alembic's own file; constants only",
    ("migrations/env.py", "CREATE SCHEMA IF NOT EXISTS jobqueue"): "Alembic's own file",
    ("migrations/env.py", "SELECT set_config('lock_timeout'"): "Alembic's own file",
    ("jobqueue/client/transaction.py", "a COMMIT inside"): "a message",
    ("jobqueue/cli/worker.py", "LISTEN and the leader"): "help",
}

# The privilege's holder, as PostgreSQL itself quotes it: regrole, or the word PUBLIC.
HOLDER = "EXECUTE pg_catalog.format('GRANT %s TO %s', may.rights, may.role);"
ENQUEUER = (
    "EXECUTE pg_catalog.format( 'GRANT EXECUTE ON FUNCTION jobqueue.enqueue_gated_v1 TO %s', "
    "may.role);"
)
FUNCTION_HOLDER = (
    "EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', may.function, may.role);"
)
VIEW_HOLDER = "EXECUTE pg_catalog.format('GRANT %s ON jobqueue.all_jobs TO %s', may.privilege"
SCRIPT = "EXECUTE $migration${script}$migration$"
DYNAMIC = {
    ("0002_keys.sql", HOLDER): "rights of a fixed list; the role as regrole::text, which is quoted",
    ("0004_schedules.sql", HOLDER): "the same",
    ("0005_gates.sql", HOLDER): "the same",
    ("0005_gates.sql", ENQUEUER): "the role as above",
    ("0006_policies.sql", HOLDER): "the same",
    ("0006_policies.sql", FUNCTION_HOLDER): "a function as regprocedure::text; the role as above",
    ("0006_policies.down.sql", FUNCTION_HOLDER): "the same",
    ("0003_attempts.sql", FUNCTION_HOLDER): "a function as regprocedure::text; the role as above",
    ("0003_attempts.down.sql", FUNCTION_HOLDER): "the same",
    (
        "0003_attempts.down.sql",
        VIEW_HOLDER,
    ): "a privilege's name from the catalog; the role as above",
    ("step.sql", SCRIPT): "a file of this package, printed for a person to run",
}


@pytest.mark.parametrize("path", PYTHON, ids=label)
def test_text_that_is_sent_is_not_made_of_parts(path: Path) -> None:
    made = {
        ast.unparse(call)
        for scope, call in sends(path)
        if any(built(scope, argument) for argument in call.args[:1])
    }
    assert made == BUILT.get(label(path), {}).keys()


def test_the_reader_of_source_finds_what_it_looks_for() -> None:
    tried = {
        "c.execute(f'SELECT {x}')": True,
        "c.execute('SELECT ' + x)": True,
        "c.execute('SELECT %s' % x)": True,
        "c.execute('SELECT {}'.format(x))": True,
        "t = 'SELECT '\nt += x\nc.execute(t)": True,
        "t = f'SELECT {x}'\nu = t.encode()\nc.execute(u, {})": True,
        "for t in [f'a{x}']: c.execute(t)": True,
        "c.execute('SELECT 1')": False,
        "c.execute(sql('jobs/claim'), {'a': f'{x}'})": False,
    }
    for source, expected in tried.items():
        module = ast.parse(source)
        [call] = [
            node
            for node in ast.walk(module)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "c.execute"
        ]
        assert built(module, call.args[0]) is expected, source


def test_a_statement_is_a_file_named_where_it_is_made() -> None:
    made = [
        (label(path), ast.unparse(call.args[0]))
        for path in PYTHON
        for _, call in sends(path)
        if ast.unparse(call.func) == "Statement"
    ]
    assert len(made) > 30
    assert [one for one in made if not re.fullmatch(r"sql\('[a-z_/]+'\)", one[1])] == []


def test_sql_is_written_in_files_of_sql_only() -> None:
    found = {
        (label(path), line, text)
        for path in PYTHON
        for line, text in texts(path)
        if STATEMENT.search(text)
    }
    allowed = {
        one for one in found for file, words in WORDS_OF_SQL if one[0] == file and words in one[2]
    }
    assert found - allowed == set()
    assert len(allowed) >= len(WORDS_OF_SQL), "an exception that is not needed any more"


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


# A command that is text: not a trigger's function, not a privilege.
EXECUTE = re.compile(r"\bEXECUTE\s+(?!FUNCTION\b|PROCEDURE\b|ON\b)[^;]*;", re.IGNORECASE)
FORMAT = re.compile(r"EXECUTE pg_catalog\.format\( ?'((?:[^']|'')*)'", re.IGNORECASE)


def unsafe(command: str) -> bool:
    """Whether a command puts anything into its text but quoted identifiers and quoted literals."""
    found = FORMAT.match(command)
    if found is None or "||" in command:
        return True
    return re.search(r"%(?![IL%])", found[1]) is not None


@pytest.mark.parametrize("path", SQL, ids=label)
def test_a_function_puts_into_a_command_only_what_format_quotes(path: Path) -> None:
    commands = [
        " ".join(command.split())
        for command in EXECUTE.findall(without_comments(path.read_text(encoding="utf-8")))
    ]
    bad = [command for command in commands if unsafe(command)]
    allowed = [start for file, start in DYNAMIC if file == path.name]
    assert [one for one in bad if not any(one.startswith(start) for start in allowed)] == []
    assert len(bad) == len(allowed), "an exception that is not needed any more"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("EXECUTE pg_catalog.format('DROP TABLE jobqueue.%I', name);", False),
        ("EXECUTE pg_catalog.format('DROP TABLE jobqueue.%s', name);", True),
        ("EXECUTE 'DROP TABLE ' || name;", True),
        ("EXECUTE pg_catalog.format('DROP TABLE %I', name) || tail;", True),
        ("EXECUTE command;", True),
    ],
)
def test_the_reader_of_commands_finds_what_it_looks_for(command: str, expected: bool) -> None:
    assert unsafe(command) is expected
    assert EXECUTE.findall(command) == [command]


# Which functions act for the owner of the schema, and who may call them without a grant.
FOR_THE_OWNER = {
    "enqueue_v1": "nobody",
    "enqueue_many_v1": "nobody",
    "enqueue_gated_v1": "nobody",
    "wake_gatekeeper": "nobody",
    "make_history_partitions": "nobody",
    "drop_history_partitions": "nobody",
    "trim_history": "nobody",
    "task_defaults": "everybody",  # it gives nothing away but a task's queue and numbers
    "wake": "everybody",  # anybody may NOTIFY, and it says nothing
    "redact": "everybody",  # the views call it for whoever reads them
}


def test_functions_of_the_owner_are_few_and_not_for_everybody(owner: psycopg.Connection) -> None:
    found = {
        one.name: "everybody" if one.public else "nobody" for one in functions(owner) if one.definer
    }
    assert found == FOR_THE_OWNER


def test_every_function_has_a_search_path_of_its_own(owner: psycopg.Connection) -> None:
    without = [
        one.name
        for one in functions(owner)
        if "search_path=pg_catalog, pg_temp" not in one.settings
    ]
    # Called once for each job: with a setting of its own it would not be inlined.
    assert without == ["uuid_v7"]
    [uuid] = [one for one in functions(owner) if one.name == "uuid_v7"]
    assert not uuid.definer
    assert uuid.parameters == {}


def test_no_function_as_it_is_in_the_database_runs_text_of_its_caller(
    owner: psycopg.Connection,
) -> None:
    commands = {
        " ".join(command.split())
        for one in functions(owner)
        for command in EXECUTE.findall(without_comments(one.source))
    }
    assert commands
    assert [command for command in commands if unsafe(command)] == []
    assert {one.language for one in functions(owner)} == {"plpgsql", "sql"}
