"""The previous release on the current schema: workers and enqueuers of both share the work."""

from __future__ import annotations

import signal

from jobqueue.store import migrations
from tests.upgrade.previous import WHEEL, Release
from tests.waiting import until
from tests.worker.books import Books


def names(numbers: range) -> list[str]:
    return sorted(str(number) for number in numbers)


def test_the_previous_release_is_the_one_that_runs(old: Release, new: Release) -> None:
    where = "import jobqueue; print(jobqueue.__file__)"
    assert str(WHEEL) in old.run("-c", where)
    assert ".whl" not in new.run("-c", where)


def test_the_previous_worker_runs_what_the_current_release_enqueues(
    books: Books, old: Release, new: Release
) -> None:
    worker = old.worker()
    new.enqueue(range(200))
    until(lambda: books.states() == {"completed": 200}, what="all jobs complete")
    assert old.notes == names(range(200))
    assert "ERROR" not in old.log
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_the_previous_worker_runs_what_the_previous_release_enqueues(
    books: Books, old: Release
) -> None:
    old.enqueue(range(200))
    old.worker()
    until(lambda: books.states() == {"completed": 200}, what="all jobs complete")
    assert old.notes == names(range(200))


def test_the_current_worker_runs_what_the_previous_release_enqueues(
    books: Books, old: Release, new: Release
) -> None:
    new.worker()
    old.enqueue(range(200))
    until(lambda: books.states() == {"completed": 200}, what="all jobs complete")
    assert new.notes == names(range(200))


def test_workers_of_both_share_the_work_and_no_job_runs_twice(
    books: Books, old: Release, new: Release
) -> None:
    old.worker()
    new.worker()
    old.ready()
    new.ready()
    old.enqueue(range(300))
    new.enqueue(range(300, 600))
    until(lambda: books.states() == {"completed": 600}, what="all jobs complete")
    assert sorted(old.notes + new.notes) == names(range(600))


def test_the_previous_worker_retries_and_buries(books: Books, old: Release) -> None:
    books.rows("SELECT jobqueue.enqueue_v1('fail_once', '{\"word\": \"again\"}')")
    books.rows("SELECT jobqueue.enqueue_v1('forbidden', '{\"word\": \"no\"}', max_attempts => 1)")
    old.worker()
    until(lambda: books.unfinished() == 0, what="both end")
    assert books.states() == {"completed": 1, "dead": 1}
    assert old.notes == ["again"]


def test_what_a_killed_previous_worker_held_is_finished_by_a_current_one(
    books: Books, old: Release, new: Release
) -> None:
    new.enqueue(range(400))
    victim = old.worker("--lease", "1s")
    until(lambda: len(old.notes) > 20, what="it is in the middle of it")
    victim.kill()
    victim.wait()
    new.worker("--lease", "1s")
    until(lambda: books.states() == {"completed": 400}, what="all jobs complete")
    assert set(old.notes) | set(new.notes) == set(names(range(400)))


def test_the_previous_commands_still_read_the_books(books: Books, old: Release) -> None:
    old.enqueue(range(3))
    assert "count" in old.jobqueue("jobs", "list")
    assert "default" in old.jobqueue("stats")
    assert "dead" in old.jobqueue("dead", "list")


def test_the_database_is_at_the_current_revision(database_url: str) -> None:
    position = migrations.position(database_url)
    assert (position.current, position.behind) == (position.newest, False)
    assert position.newest > "0001"
