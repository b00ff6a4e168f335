"""A user's own Alembic project beside our schema, and with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from tests import waiting
from tests.integrations.projects import AlembicProject
from tests.store.catalog import described, tables

SCHEMAS = '{"include_schemas": True, "include_name": include_name}'
BOTH = pytest.mark.parametrize("options", ["{}", SCHEMAS], ids=["default-schema", "all-schemas"])

# Of this database alone: another process of the test run may use the same server.
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND mode = 'AccessExclusiveLock' AND datname = current_database()
"""


def project(folder: Path, url: str, options: str = "{}") -> AlembicProject:
    return AlembicProject(folder, to_conninfo(url), options=options)


def value(url: str, query: str) -> object:
    with psycopg.connect(to_conninfo(url), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return None if row is None else row[0]


@BOTH
def test_autogenerate_finds_nothing_to_do_beside_our_tables(
    tmp_path: Path, empty_database_url: str, options: str
) -> None:
    theirs = project(tmp_path, empty_database_url, options)
    theirs.upgrade()
    done = theirs.alembic("check(config)")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_filter_all_schemas_would_lose_our_tables(
    tmp_path: Path, empty_database_url: str
) -> None:
    theirs = project(tmp_path, empty_database_url, '{"include_schemas": True}')
    theirs.upgrade()
    done = theirs.alembic("check(config)")
    assert done.returncode != 0
    assert "remove_table" in done.stderr


def test_a_users_migration_brings_our_schema_and_both_version_tables_are_right(
    tmp_path: Path, empty_database_url: str, shared_database_url: str
) -> None:
    theirs = project(tmp_path, empty_database_url)
    theirs.upgrade()
    assert described(empty_database_url) == described(shared_database_url)
    position = migrations.position(empty_database_url)
    assert (position.current, position.behind) == (position.newest, False)
    assert value(empty_database_url, "SELECT version_num FROM public.alembic_version") == "aaaa"
    migrations.upgrade(empty_database_url)
    assert value(empty_database_url, "SELECT outcome FROM jobqueue.enqueue_v1('t')") == "inserted"


def test_calling_it_again_is_harmless(
    tmp_path: Path, empty_database_url: str, shared_database_url: str
) -> None:
    theirs = project(tmp_path, empty_database_url)
    theirs.upgrade()
    value(empty_database_url, "SELECT outcome FROM jobqueue.enqueue_v1('t')")
    theirs.add_second()
    theirs.upgrade()
    assert described(empty_database_url) == described(shared_database_url)
    assert value(empty_database_url, "SELECT count(*) FROM jobqueue.jobs") == 1
    assert value(empty_database_url, "SELECT version_num FROM public.alembic_version") == "bbbb"


@pytest.mark.parametrize("start", ["0001", "head"])
def test_a_schema_that_was_there_is_brought_up_from_where_it_is(
    tmp_path: Path, empty_database_url: str, shared_database_url: str, start: str
) -> None:
    migrations.upgrade(empty_database_url, start)
    value(empty_database_url, "SELECT outcome FROM jobqueue.enqueue_v1('t')")
    project(tmp_path, empty_database_url).upgrade()
    assert described(empty_database_url) == described(shared_database_url)
    assert not migrations.position(empty_database_url).behind
    assert value(empty_database_url, "SELECT count(*) FROM jobqueue.jobs") == 1


def test_a_users_migration_that_fails_takes_ours_back(
    tmp_path: Path, empty_database_url: str
) -> None:
    theirs = project(tmp_path, empty_database_url)
    theirs.add_second(after="raise RuntimeError('of the user')")
    done = theirs.alembic('upgrade(config, "head")')
    assert done.returncode != 0
    assert "of the user" in done.stderr
    assert tables(empty_database_url) == set()


def test_the_sql_of_a_users_migration_holds_ours(
    tmp_path: Path, empty_database_url: str, shared_database_url: str
) -> None:
    theirs = project(tmp_path, empty_database_url)
    theirs.add_second()
    done = theirs.alembic('upgrade(config, "head", sql=True)')
    assert done.returncode == 0, done.stderr
    with psycopg.connect(to_conninfo(empty_database_url), autocommit=True) as connection:
        connection.execute(done.stdout.encode())
    assert described(empty_database_url) == described(shared_database_url)
    position = migrations.position(empty_database_url)
    assert (position.current, position.behind) == (position.newest, False)
    assert value(empty_database_url, "SELECT version_num FROM public.alembic_version") == "bbbb"


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
def test_an_asynchronous_env_py_brings_our_schema_too(
    tmp_path: Path, empty_database_url: str, shared_database_url: str, driver: str
) -> None:
    theirs = project(tmp_path, empty_database_url)
    theirs.migrate_through(driver)
    theirs.add_second()
    theirs.upgrade()
    assert described(empty_database_url) == described(shared_database_url)
    assert value(empty_database_url, "SELECT version_num FROM public.alembic_version") == "bbbb"


def test_while_a_users_migration_waits_for_our_tables_others_go_on(
    tmp_path: Path, empty_database_url: str
) -> None:
    migrations.upgrade(empty_database_url, "0001")
    theirs = project(tmp_path, empty_database_url)
    conninfo = to_conninfo(empty_database_url)
    with psycopg.connect(conninfo) as reader, ThreadPoolExecutor() as pool:
        reader.execute("SELECT FROM jobqueue.all_jobs")
        migrating = pool.submit(theirs.upgrade)
        waiting.until(
            lambda: value(empty_database_url, WAITING),
            what="the migration has tried",
        )
        with psycopg.connect(conninfo, autocommit=True) as enqueuer:
            enqueuer.execute("SET lock_timeout = '2s'")
            for _ in range(20):
                enqueuer.execute("SELECT jobqueue.enqueue_v1('t')")
        assert not migrating.done()
        reader.rollback()
        migrating.result(timeout=60)
    assert not migrations.position(empty_database_url).behind
