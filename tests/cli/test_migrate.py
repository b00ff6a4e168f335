"""`jobqueue migrate`: up, down, printed and checked."""

from __future__ import annotations

import psycopg

from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell, finish


def test_a_database_is_migrated_and_checked(empty_shell: Shell) -> None:
    behind = empty_shell.quick("migrate", "--check")
    assert behind.returncode == 4
    assert "0001" in behind.stderr
    assert "jobqueue migrate" in behind.stderr

    done = empty_shell.run("migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0001" in done.stdout

    checked = empty_shell.quick("migrate", "--check")
    assert checked.returncode == 0
    assert "up to date" in checked.stdout
    assert "up to date" in empty_shell.quick("migrate").stdout
    assert empty_shell.quick("stats").returncode == 0


def test_any_number_of_processes_may_migrate_at_once(empty_shell: Shell) -> None:
    for process in [empty_shell.start("migrate") for _ in range(4)]:
        done = finish(process)
        assert done.returncode == 0, done.stderr
    assert empty_shell.quick("migrate", "--check").returncode == 0


def test_the_sql_is_printed_without_a_database_and_makes_the_same_schema(
    empty_shell: Shell, bare_shell: Shell
) -> None:
    printed = bare_shell.run("migrate", "--sql")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert empty_shell.url is not None
    with psycopg.connect(to_conninfo(empty_shell.url), autocommit=True) as connection:
        connection.execute(printed.stdout.encode())
    assert empty_shell.quick("migrate", "--check").returncode == 0
    enqueued = empty_shell.json("enqueue", "greet", '{"name": "Ada"}')
    assert enqueued["outcome"] == "inserted"


def test_going_back_asks_first_and_leaves_a_database_that_can_be_migrated_again(
    shell: Shell,
) -> None:
    refused = shell.run("migrate", "--downgrade-to", "base", answer="n\n")
    assert refused.returncode == 1
    assert shell.quick("stats").returncode == 0, "nothing was dropped"

    done = shell.run("migrate", "--downgrade-to", "base", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell.quick("stats").returncode == 4
    assert shell.quick("migrate").returncode == 0
    assert shell.quick("stats").returncode == 0


def test_a_revision_that_does_not_exist_is_said_in_one_line(shell: Shell) -> None:
    done = shell.quick("migrate", "--downgrade-to", "9999", "--yes")
    assert done.returncode != 0
    assert "9999" in done.stderr
    assert "Traceback" not in done.stderr
