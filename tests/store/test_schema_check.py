"""A schema that does not fit this release is refused with the command that mends it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from jobqueue import SchemaMissing, SchemaTooNew, SchemaTooOld
from jobqueue.store import database
from jobqueue.store.database import check_schema, check_schema_async, to_conninfo

NEEDED = database.SCHEMA_VERSION


def check(url: str) -> None:
    with psycopg.connect(to_conninfo(url)) as connection:
        check_schema(database.executor(connection))


def check_async(url: str) -> None:
    async def case():
        async with await psycopg.AsyncConnection.connect(to_conninfo(url)) as connection:
            await check_schema_async(database.executor_async(connection))

    asyncio.run(case())


both_ways = pytest.mark.parametrize("checked", [check, check_async])


@pytest.fixture
def versions(database_url):
    """Set the schema's version and the oldest release it supports; they are put back."""

    def pretend(version: int, oldest_supported: int) -> str:
        with psycopg.connect(to_conninfo(database_url), autocommit=True) as connection:
            connection.execute(
                "UPDATE jobqueue.schema_version SET version = %s, oldest_supported = %s",
                [version, oldest_supported],
            )
        return database_url

    with psycopg.connect(to_conninfo(database_url)) as connection:
        was = connection.execute(
            "SELECT version, oldest_supported FROM jobqueue.schema_version"
        ).fetchone()
    assert was is not None
    yield pretend
    pretend(*was)


@both_ways
def test_the_schema_of_this_release_fits(checked, database_url):
    checked(database_url)


@both_ways
def test_a_database_without_the_schema_says_to_migrate(checked, empty_database_url):
    with pytest.raises(SchemaMissing, match="run `jobqueue migrate`"):
        checked(empty_database_url)


@both_ways
def test_an_older_schema_says_to_migrate(checked, versions):
    with pytest.raises(SchemaTooOld, match="run `jobqueue migrate`") as refused:
        checked(versions(NEEDED - 1, NEEDED - 1))
    assert f"version {NEEDED - 1}: older than {NEEDED}" in str(refused.value)


@both_ways
def test_a_newer_schema_that_still_supports_this_release_fits(checked, versions):
    checked(versions(NEEDED + 5, NEEDED))


@both_ways
def test_a_newer_schema_that_does_not_says_to_upgrade_the_package(checked, versions):
    with pytest.raises(SchemaTooNew, match="upgrade the jobqueue package"):
        checked(versions(NEEDED + 5, NEEDED + 1))
