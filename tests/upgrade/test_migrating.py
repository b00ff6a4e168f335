"""From the schema of the previous release to the current one and back, with work going on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from tests.store.catalog import described
from tests.upgrade.previous import REVISION, Release
from tests.upgrade.test_previous_release import names
from tests.waiting import until
from tests.worker.books import Books

# Of this database alone: another process of the test run may use the same server.
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND datname = current_database()
"""


@pytest.fixture
def books(empty_database_url: str, before: Release) -> Iterator[Books]:
    it = Books(empty_database_url)
    yield it
    it.close()


def test_a_schema_that_came_from_the_previous_release_is_like_a_fresh_one(
    books: Books, shared_database_url: str
) -> None:
    migrations.upgrade(books.url)
    found, fresh = described(books.url), described(shared_database_url)
    differing = {
        kind: sorted(set(found[kind]) ^ set(fresh[kind]))
        for kind in fresh
        if found[kind] != fresh[kind]
    }
    assert differing == {}


@contextmanager
def migrating(url: str) -> Iterator[threading.Thread]:
    """Migrate in a thread beside the body; its failure is the body's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrations.upgrade(url)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive(), "the migration hangs"
    if failures:
        raise failures[0]


def kept(books: Books) -> list[tuple[object, ...]]:
    return books.rows(
        "SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors, "
        "enqueued_at, run_at, started_at, finished_at, run_ms FROM jobqueue.all_jobs ORDER BY id"
    )


def test_jobs_in_every_state_are_kept(books: Books, before: Release) -> None:
    worker = before.worker()
    before.enqueue(range(20))
    books.rows("SELECT jobqueue.enqueue_v1('forbidden', '{\"word\": \"x\"}', max_attempts => 1)")
    until(lambda: books.unfinished() == 0, what="some have ended")
    worker.terminate()
    assert worker.wait(20) == 0
    books.rows("SELECT jobqueue.enqueue_v1('count', '{\"number\": 77}', delay => '1 h')")
    cancelled = books.value("SELECT job_id FROM jobqueue.enqueue_v1('count')")
    books.rows("SELECT jobqueue.cancel_v1(%s)", [cancelled])
    before.enqueue(range(100, 120))
    found = kept(books)
    assert {row[3] for row in found} == {"completed", "dead", "scheduled", "cancelled", "available"}
    migrations.upgrade(books.url)
    assert kept(books) == found
    migrations.downgrade(books.url, REVISION)
    assert kept(books) == found


def test_a_previous_worker_works_on_while_the_schema_is_migrated(
    books: Books, before: Release, after: Release
) -> None:
    worker = before.worker()
    before.ready()
    before.enqueue(range(600))
    until(lambda: len(before.notes) > 20, what="it is in the middle of it")
    after.jobqueue("migrate")
    before.enqueue(range(600, 700))
    after.enqueue(range(700, 800))
    until(lambda: books.unfinished() == 0, what="all jobs end")
    assert books.states() == {"completed": 800}
    assert set(before.notes) == set(names(range(800)))
    assert worker.poll() is None


def test_going_back_lets_the_previous_release_work_again(
    books: Books, before: Release, after: Release
) -> None:
    after.jobqueue("migrate")
    after.enqueue(range(20))
    books.rows("SELECT jobqueue.enqueue_v1('count', '{\"number\": 99}', unique_key => 'k')")
    after.jobqueue("migrate", "--downgrade-to", REVISION, "--yes")
    assert migrations.position(books.url).current == REVISION
    before.enqueue(range(20, 40))
    before.worker()
    until(lambda: books.states() == {"completed": 41}, what="all jobs complete")
    assert before.notes == [*names(range(40)), "99"]


def test_a_previous_worker_works_on_while_the_schema_goes_back(
    books: Books, before: Release, after: Release
) -> None:
    after.jobqueue("migrate")
    before.worker()
    before.ready()
    after.enqueue(range(600))
    until(lambda: len(before.notes) > 20, what="it is in the middle of it")
    after.jobqueue("migrate", "--downgrade-to", REVISION, "--yes")
    before.enqueue(range(600, 620))
    until(lambda: books.states() == {"completed": 620}, what="all jobs complete")


@pytest.mark.parametrize(
    "first",
    [
        "SELECT FROM jobqueue.tasks",  # what an enqueue looks at before it inserts
        "SELECT FROM jobqueue.all_jobs",
        "SELECT FROM jobqueue.job_history",
        "SELECT FROM jobqueue.dead_letters",
        "SELECT FROM jobqueue.workers",
        "SELECT jobqueue.enqueue_v1('count', '{\"number\": 1}')",
    ],
)
def test_a_transaction_that_is_open_meanwhile_is_not_broken(books: Books, first: str) -> None:
    with psycopg.connect(to_conninfo(books.url)) as one:
        one.execute(first.encode())
        with migrating(books.url):
            until(
                lambda: books.value(WAITING) == 1 or not migrations.position(books.url).behind,
                what="the migration waits for the transaction, or is done",
            )
            one.execute("SELECT jobqueue.enqueue_v1('count', '{\"number\": 2}')")
            one.commit()
    assert not migrations.position(books.url).behind
    assert books.unfinished() >= 1


def test_who_could_enqueue_before_still_can(books: Books) -> None:
    books.rows('CREATE ROLE "an old role" LOGIN')
    try:
        books.rows('GRANT USAGE ON SCHEMA jobqueue TO "an old role"')
        books.rows('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA jobqueue TO "an old role"')
        migrations.upgrade(books.url)
        books.rows('SET ROLE "an old role"')
        assert books.value("SELECT outcome FROM jobqueue.enqueue_v1('t')") == "inserted"
        assert books.value("SELECT jobqueue.enqueue_many_v1('t', '[{}]')")
    finally:
        books.rows("RESET ROLE")
        books.rows('DROP OWNED BY "an old role"')
        books.rows('DROP ROLE "an old role"')


def test_who_could_only_enqueue_before_is_given_no_more(books: Books) -> None:
    books.rows("CREATE ROLE only_enqueues LOGIN")
    try:
        books.rows("GRANT USAGE ON SCHEMA jobqueue TO only_enqueues")
        books.rows("GRANT INSERT ON jobqueue.jobs TO only_enqueues")
        migrations.upgrade(books.url)
        books.rows("SET ROLE only_enqueues")
        for more in ("drop_history_partitions(now())", "make_history_partitions()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                books.rows(f"SELECT jobqueue.{more}")
    finally:
        books.rows("RESET ROLE")
        books.rows("DROP OWNED BY only_enqueues")
        books.rows("DROP ROLE only_enqueues")
