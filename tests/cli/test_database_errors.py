"""Without a database that fits, one line says what to do, and the exit code what kind it is."""

from __future__ import annotations

import time

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell, finish, one_line

NOBODY_THERE = "postgresql://ada:s3cret@127.0.0.1:1/shop"

# Each has the pieces of a password that no message may show.
MALFORMED = [
    ("mysql://ada:s3cret@host/shop", ["s3cret"]),
    ("ada:s3cret@host", ["s3cret"]),
    ("s3cret", ["s3cret"]),
    ("postgres//ada:s3cret@host", ["s3cret"]),
    ("postgresql://ada:s3cret@[::1/shop", ["s3cret"]),
    ("postgresql://ada:s3cret@host/shop?nonsense=1", ["s3cret"]),
    ("postgresql://host/shop?password=s3cret&sslmode", ["s3cret"]),
    # Characters that have a meaning in a URL, and should have been escaped.
    ("postgresql://ada:100%zz@host/shop", ["100", "zz"]),
    ("postgresql://ada:hush%00s3cret@host/shop", ["hush", "s3cret"]),
    ("postgresql://ada:hush@s3cret@host/shop", ["hush", "s3cret"]),
    ("postgresql://ada:hush/s3cret?more@host/shop", ["hush", "s3cret", "more@"]),
    ("postgresql://ada:s3cret@host:port/shop", ["s3cret"]),
    ("postgresql://ada:s3cret@host/shop?connect_timeout=soon", ["s3cret"]),
    ("host=localhost password=hush s3cret", ["hush", "s3cret"]),
    ("host=localhost password='s3cret", ["s3cret"]),
]


def test_without_a_url_both_ways_to_get_one_are_named(bare_shell: Shell) -> None:
    commands = [
        ("stats",),
        ("migrate",),
        ("enqueue", "greet"),
        ("worker", "shop:jobs"),
        ("dead", "list"),
    ]
    for process in [bare_shell.start(*command) for command in commands]:
        done = finish(process)
        assert done.returncode == 2, done.stderr
        line = one_line(done)
        assert "JOBQUEUE_DATABASE_URL" in line
        assert "--database-url" in line
        assert "jobqueue dev" in line


@pytest.mark.parametrize(("url", "secrets"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_url_is_wrong_usage_and_no_message_shows_the_password(
    bare_shell: Shell, url: str, secrets: list[str]
) -> None:
    done = bare_shell.quick("stats", url=url)
    assert done.stdout == ""
    for secret in secrets:
        assert secret not in done.stderr
    assert done.returncode == 2
    assert "JOBQUEUE_DATABASE_URL" in one_line(done)


def test_a_server_that_is_down_is_exit_code_3_and_the_password_is_not_shown(
    bare_shell: Shell,
) -> None:
    commands = [("stats",), ("migrate",), ("migrate", "--check"), ("enqueue", "greet")]
    for process in [bare_shell.start(*command, url=NOBODY_THERE) for command in commands]:
        done = finish(process)
        assert done.returncode == 3, done.stderr
        line = one_line(done)
        assert "check that the server runs" in line
        assert "s3cret" not in line


def test_a_worker_tries_for_its_first_connection_says_so_and_then_gives_up(
    bare_shell: Shell,
) -> None:
    began = time.monotonic()
    done = bare_shell.run("worker", "shop:jobs", "--connect-timeout", "1s", url=NOBODY_THERE)
    assert 0.5 < time.monotonic() - began < 8
    assert done.returncode == 3
    *tries, last = done.stderr.strip().splitlines()
    assert len(tries) >= 2
    assert all("no connection" in line and "trying again in" in line for line in tries)
    assert "no connection within 1 s" in last
    assert "s3cret" not in done.stderr


def test_a_database_without_the_schema_is_exit_code_4_and_names_the_command(
    empty_shell: Shell,
) -> None:
    commands = [("stats",), ("enqueue", "greet"), ("worker", "shop:jobs"), ("jobs", "list")]
    for process in [empty_shell.start(*command) for command in commands]:
        done = finish(process)
        assert done.returncode == 4, done.stderr
        assert "jobqueue migrate" in done.stderr.strip().splitlines()[-1]
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("version", "oldest_supported", "remedy"),
    [(99, 99, "pip install --upgrade jobqueue"), (0, 0, "jobqueue migrate")],
)
def test_a_schema_that_does_not_fit_is_exit_code_4_and_says_what_mends_it(
    shell: Shell,
    connection: psycopg.Connection,
    version: int,
    oldest_supported: int,
    remedy: str,
) -> None:
    connection.execute(
        "UPDATE jobqueue.schema_version SET version = %s, oldest_supported = %s",
        [version, oldest_supported],
    )
    connection.commit()
    for process in [shell.start("stats"), shell.start("worker", "shop:jobs")]:
        done = finish(process)
        assert done.returncode == 4, done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert f"schema version {version}" in last
        assert remedy in last


def test_a_newer_schema_that_still_supports_this_release_is_no_obstacle(
    shell: Shell, connection: psycopg.Connection
) -> None:
    connection.execute("UPDATE jobqueue.schema_version SET version = 99")
    connection.commit()
    assert shell.quick("stats").returncode == 0


def test_a_right_that_is_missing_is_told_as_that_and_not_as_a_server_that_is_down(
    empty_shell: Shell, server_url: str
) -> None:
    url = empty_shell.url or ""
    with psycopg.connect(to_conninfo(server_url), autocommit=True) as admin:
        admin.execute("CREATE ROLE jobqueue_nobody LOGIN")
        try:
            limited = url.replace("//postgres:@", "//jobqueue_nobody@")
            assert limited != url
            done = empty_shell.run("migrate", url=limited)
        finally:
            admin.execute("DROP ROLE jobqueue_nobody")
    assert done.returncode == 1, done.stderr
    line = one_line(done)
    assert "permission denied" in line
    assert "check that the server runs" not in line
