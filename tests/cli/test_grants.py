"""`jobqueue grants`: printed or run, and a worker that has no more rights than these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.cli.shell import Shell, one_line
from tests.store.roles import role, url_of
from tests.waiting import until
from tests.worker.books import Books

EFFECTS = """
from jobqueue import JobQueue, current_job

jobs = JobQueue()


@jobs.task
async def quick() -> None: ...


@jobs.task
def effect() -> None:
    with current_job().transaction() as connection:
        connection.execute("UPDATE public.counter SET n = n + 1")


@jobs.task
def broken() -> None:
    raise RuntimeError
"""


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_is_printed_does_the_same_as_run(shell: Shell, purpose: Purpose) -> None:
    assert shell.url is not None
    with role(shell.url, None, prefix='an "odd" [b]name[/]') as one:
        printed = shell.quick("grants", "--role", one, "--for", purpose)
        assert (printed.returncode, printed.stderr) == (0, "")
        with psycopg.connect(to_conninfo(shell.url), autocommit=True) as owner:
            before = rights(owner)
            owner.execute(printed.stdout.encode())
            by_hand = rights(owner)
            assert by_hand != before
            owner.execute(psycopg.sql.SQL("DROP OWNED BY {}").format(psycopg.sql.Identifier(one)))
            assert rights(owner) == before
            done = shell.quick("grants", "--role", one, "--for", purpose, "--run")
            assert (done.returncode, done.stderr) == (0, "")
            assert f"role {one}: may now {purpose}" in done.stdout
            assert rights(owner) == by_hand


def rights(owner: psycopg.Connection) -> list[tuple[str, ...]]:
    query = """
        SELECT relname, one::text FROM pg_class, unnest(relacl) AS one
        WHERE relnamespace = 'jobqueue'::regnamespace
        UNION SELECT proname, one::text FROM pg_proc, unnest(proacl) AS one
        WHERE pronamespace = 'jobqueue'::regnamespace
        UNION SELECT attname, one::text FROM pg_attribute, unnest(attacl) AS one
        UNION SELECT nspname, one::text FROM pg_namespace, unnest(nspacl) AS one
    """
    # What everybody has, and the owner has by itself, is written down only once something changed.
    rows = owner.execute(query.encode()).fetchall()
    return sorted(row for row in rows if not row[1].startswith(("=", "postgres=")))


def test_printing_needs_no_database(bare_shell: Shell) -> None:
    done = bare_shell.quick("grants", "--role", "web", "--for", "enqueue")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count('TO "web";') == 5


def test_an_unknown_role_is_told_in_one_line(shell: Shell) -> None:
    done = shell.quick("grants", "--role", "nobody here", "--for", "read", "--run")
    assert done.returncode == 2
    assert "role 'nobody here': not in this database" in one_line(done)
    assert "CREATE ROLE" in done.stderr


def test_an_unknown_purpose_is_wrong_usage(shell: Shell) -> None:
    done = shell.quick("grants", "--role", "web", "--for", "everything")
    assert done.returncode == 2
    assert "everything" in done.stderr


def test_a_database_without_the_schema_is_exit_code_4(empty_shell: Shell) -> None:
    done = empty_shell.quick("grants", "--role", "web", "--for", "read", "--run")
    assert done.returncode == 4
    assert "jobqueue migrate" in one_line(done)


def test_a_role_for_workers_runs_a_whole_worker(shell: Shell, books: Books) -> None:
    (shell.folder / "effects.py").write_text(EFFECTS)
    books.rows("CREATE TABLE public.counter (n integer)")
    books.rows("INSERT INTO public.counter VALUES (0)")
    books.rows("SELECT jobqueue.enqueue_v1('effect'), jobqueue.enqueue_v1('quick')")
    books.rows("SELECT jobqueue.enqueue_v1('quick', delay => '100 ms')")
    books.rows("SELECT jobqueue.enqueue_v1('broken', max_attempts => 1)")
    # What a worker that died left behind, and history that is due to go.
    books.rows(
        "INSERT INTO jobqueue.processed_ids VALUES (gen_random_uuid(), now() - interval '1 year')"
    )
    newest = books.value(
        "SELECT max(inhrelid::regclass::text) FROM pg_inherits "
        "WHERE inhparent = 'jobqueue.job_history'::regclass "
        "AND inhrelid <> 'jobqueue.job_history_default'::regclass"
    )
    books.rows(f"DROP TABLE {newest}")
    dead = books.value(
        "INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency, expires_at) "
        "VALUES ('w', 'h', 1, '{default}', 1, now() - interval '1 h') RETURNING id"
    )
    books.rows("SELECT jobqueue.enqueue_v1('quick')")
    books.rows(
        "UPDATE jobqueue.jobs SET state = 'running', worker_id = %s, attempt = 1, lease = 1, "
        "started_at = now() WHERE task = 'quick' AND state = 'available'",
        [dead],
    )
    with role(books.url, Purpose.WORKER, prefix="worker") as name:
        books.rows(f'GRANT UPDATE, SELECT ON public.counter TO "{name}"')
        before = partitions(books)
        with (shell.folder / "log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "jobqueue", "worker", "effects:jobs", "--poll", "200ms"],
                cwd=shell.folder,
                env={**os.environ, "JOBQUEUE_DATABASE_URL": url_of(books.url, name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: books.unfinished() == 0, what="all jobs end")
            until(lambda: partitions(books) > before, what="partitions are made")
            until(
                lambda: books.value("SELECT count(*) FROM jobqueue.processed_ids") == 1,
                what="the old id is forgotten, the new one kept",
            )
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
        finally:
            worker.kill()
            worker.wait()
    said = (shell.folder / "log").read_text()
    assert "permission denied" not in said
    assert "failed (" not in said
    assert books.states() == {"completed": 4, "dead": 1}
    assert books.value("SELECT n FROM public.counter") == 1
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0


def partitions(books: Books) -> int:
    return books.value(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'jobqueue.job_history'::regclass"
    )
