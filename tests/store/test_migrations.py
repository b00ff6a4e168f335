"""Migrating: up, down, twice, at once, and by hand."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
import sqlalchemy.exc

from jobqueue import DatabaseUrlError
from jobqueue.store import migrations
from jobqueue.store.database import check_schema, executor, to_conninfo
from tests.store.catalog import described, tables

PROCESSES = 8
PROGRAM = "import sys; from jobqueue.store import migrations; migrations.upgrade(sys.argv[1])"


def usable(url: str) -> bool:
    """Whether this release works with the schema, and an enqueue finds what it needs."""
    with psycopg.connect(to_conninfo(url)) as connection:
        check_schema(executor(connection))
        row = connection.execute("SELECT outcome FROM jobqueue.enqueue_v1('t')").fetchone()
        return row == ("inserted",)


def execute(url: str, text: str) -> None:
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        connection.execute(text.encode())


def test_an_empty_database_is_migrated_and_can_be_used(empty_database_url):
    migrations.upgrade(empty_database_url)
    assert usable(empty_database_url)


def test_a_second_upgrade_changes_nothing(empty_database_url):
    migrations.upgrade(empty_database_url)
    execute(empty_database_url, "SELECT jobqueue.enqueue_v1('t')")
    before = described(empty_database_url)
    migrations.upgrade(empty_database_url)
    assert described(empty_database_url) == before
    with psycopg.connect(to_conninfo(empty_database_url)) as connection:
        assert connection.execute("SELECT count(*) FROM jobqueue.jobs").fetchone() == (1,)


def test_many_processes_may_upgrade_at_once(empty_database_url, shared_database_url):
    command = [sys.executable, "-c", PROGRAM, empty_database_url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(PROCESSES)]
    for process in started:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()
    assert described(empty_database_url) == described(shared_database_url)


def test_a_downgrade_takes_every_table_away_and_an_upgrade_brings_them_back(
    empty_database_url, shared_database_url
):
    migrations.upgrade(empty_database_url)
    execute(empty_database_url, "SELECT jobqueue.enqueue_v1('t')")
    migrations.downgrade(empty_database_url, "base")
    assert tables(empty_database_url) == {"alembic_version"}
    assert migrations.position(empty_database_url).current is None
    with psycopg.connect(to_conninfo(empty_database_url)) as connection:
        left = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'jobqueue'::regnamespace"
        ).fetchall()
    assert left == []
    migrations.upgrade(empty_database_url)
    assert described(empty_database_url) == described(shared_database_url)
    assert usable(empty_database_url)


def test_the_sql_for_an_administrator_makes_the_same_schema(
    empty_database_url, shared_database_url
):
    text = migrations.upgrade_sql()
    with psycopg.connect(to_conninfo(empty_database_url), autocommit=True) as connection:
        connection.execute(text.encode())
    assert described(empty_database_url) == described(shared_database_url)
    assert not migrations.position(empty_database_url).behind
    assert usable(empty_database_url)


def test_the_sql_after_the_newest_revision_makes_nothing():
    newest = max(script.stem[:4] for script in (migrations.directory() / "versions").glob("*.py"))
    text = migrations.upgrade_sql(start=newest)
    assert "CREATE TABLE" not in text
    assert "ALTER TABLE" not in text


def test_the_sql_after_a_revision_makes_what_came_later(empty_database_url, shared_database_url):
    migrations.upgrade(empty_database_url, "0001")
    text = migrations.upgrade_sql(start="0001")
    assert "CREATE TABLE jobqueue.jobs " not in text
    execute(empty_database_url, text)
    assert described(empty_database_url) == described(shared_database_url)
    assert usable(empty_database_url)


def test_going_back_one_revision_and_forth_again_leaves_no_trace(
    empty_database_url, shared_database_url
):
    migrations.upgrade(empty_database_url, "0001")
    before = described(empty_database_url)
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "0001")
    assert described(empty_database_url) == before
    migrations.upgrade(empty_database_url)
    assert described(empty_database_url) == described(shared_database_url)


def test_the_position_says_what_is_pending(empty_database_url):
    before = migrations.position(empty_database_url)
    assert (before.current, before.behind) == (None, True)
    assert before.pending[-1] == before.newest
    migrations.upgrade(empty_database_url)
    after = migrations.position(empty_database_url)
    assert (after.current, after.pending, after.behind) == (before.newest, [], False)


def test_asking_for_the_position_makes_nothing(empty_database_url):
    migrations.position(empty_database_url)
    assert tables(empty_database_url) == set()


def test_a_database_of_a_newer_release_has_nothing_pending(empty_database_url):
    migrations.upgrade(empty_database_url)
    execute(empty_database_url, "UPDATE jobqueue.alembic_version SET version_num = '9999'")
    position = migrations.position(empty_database_url)
    assert (position.current, position.pending) == ("9999", [])


def test_a_migration_that_fails_leaves_nothing_half_made(empty_database_url):
    execute(empty_database_url, "CREATE SCHEMA jobqueue; CREATE TABLE jobqueue.dead_letters ()")
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match="already exists"):
        migrations.upgrade(empty_database_url)
    assert tables(empty_database_url) == {"dead_letters"}


def test_migrating_works_whatever_the_search_path_is(empty_database_url, shared_database_url):
    separator = "&" if "?" in empty_database_url else "?"
    migrations.upgrade(f"{empty_database_url}{separator}options=-csearch_path%3Dnowhere")
    assert described(empty_database_url) == described(shared_database_url)


@pytest.mark.parametrize("run", [migrations.upgrade, migrations.position])
def test_migrating_needs_a_url(run):
    with pytest.raises(DatabaseUrlError, match="JOBQUEUE_DATABASE_URL"):
        run(None)


def test_the_migrations_are_found_and_each_says_its_kind():
    scripts = sorted((migrations.directory() / "versions").glob("*.py"))
    assert scripts
    for script in scripts:
        assert "kind: expand" in script.read_text() or "kind: contract" in script.read_text()
        assert (migrations.directory() / "sql" / f"{script.stem}.sql").is_file()
        assert (migrations.directory() / "sql" / f"{script.stem}.down.sql").is_file()
