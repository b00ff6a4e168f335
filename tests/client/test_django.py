"""Django's own transactions: `atomic()`, nested, other databases, and none at all."""

from __future__ import annotations

import pytest

from jobqueue import JobQueue, UnsupportedConnection
from tests.client.books import jobs
from tests.client.django_databases import django_database

queue = JobQueue()


@queue.task
def greet(user_id: int) -> None: ...


class RolledBack(Exception):
    """Makes a block roll back."""


@pytest.fixture(params=["default", "other"])
def alias(request) -> str:
    return request.param


@pytest.fixture
def django(database_url, alias):
    """Django's connection, outside of any transaction."""
    with django_database(database_url, alias) as connection:
        yield connection


def users(url: str) -> list[int]:
    return [job["args"]["user_id"] for job in jobs(url)]


def fail_within_atomic(connection, alias: str, user_id: int) -> None:
    from django.db import transaction

    with transaction.atomic(using=alias):
        greet.enqueue(connection, user_id)
        raise RolledBack


def test_a_nested_block_that_fails_takes_its_job_and_no_other(django, alias, database_url):
    from django.db import transaction

    with transaction.atomic(using=alias):
        greet.enqueue(django, 1)
        with pytest.raises(RolledBack):
            fail_within_atomic(django, alias, 2)
        with transaction.atomic(using=alias):
            greet.enqueue(django, 3)
        assert users(database_url) == []
    assert users(database_url) == [1, 3]


def test_the_outermost_block_that_fails_takes_all(django, alias, database_url):
    with pytest.raises(RolledBack):
        fail_within_atomic(django, alias, 1)
    assert users(database_url) == []


def test_a_block_marked_for_rollback_takes_its_job(django, alias, database_url):
    from django.db import transaction

    with transaction.atomic(using=alias):
        greet.enqueue(django, 1)
        greet.enqueue_bulk(django, [{"user_id": 2}])
        transaction.set_rollback(True, using=alias)
    assert users(database_url) == []


def test_outside_a_block_each_enqueue_commits_by_itself(django, database_url):
    greet.enqueue(django, 1)
    assert users(database_url) == [1]
    greet.enqueue_many(django, [{"user_id": 2}])
    greet.enqueue_bulk(django, [{"user_id": 3}])
    assert users(database_url) == [1, 2, 3]


def test_a_savepoint_made_by_hand_takes_its_job(django, alias, database_url):
    from django.db import transaction

    with transaction.atomic(using=alias):
        greet.enqueue(django, 1)
        mark = transaction.savepoint(using=alias)
        greet.enqueue(django, 2)
        transaction.savepoint_rollback(mark, using=alias)
    assert users(database_url) == [1]


def test_a_database_that_is_not_postgresql_is_refused_by_name():
    from django.db.backends.sqlite3.base import DatabaseWrapper

    with pytest.raises(UnsupportedConnection, match=r"'small'.*sqlite, not PostgreSQL"):
        greet.enqueue(DatabaseWrapper({"NAME": ":memory:"}, alias="small"), 1)
