"""Workers behind PgBouncer: in transaction mode with a way to the server itself, or not at all."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.store.maintenance import LEADER_LOCK
from jobqueue.worker import claimer
from jobqueue.worker.worker import Worker
from tests.chaos import pooler as poolers
from tests.chaos.pooler import Pooler
from tests.system.processes import APPLICATION, Crew
from tests.waiting import auntil, until
from tests.worker.books import Books
from tests.worker.playing import Running, play

SHARED = (
    "connections share sessions, as behind a pooler in transaction mode; give the server's own URL "
    "with --direct-url (or JOBQUEUE_DIRECT_URL)"
)
EACH_KIND = 100
# Fewer than a worker has connections, so that these take turns.
SESSIONS = 4
# A busy machine, and a session to be waited for at every turn.
PATIENCE_SECONDS = 90.0
# Far longer than a test may take: what runs sooner was not found by looking.
LONG_PAUSE_SECONDS = 600.0

MORE_TASKS = """

from jobqueue import Constant, Retry, current_job


@jobs.task(retry=Retry(attempts=5, backoff=Constant(0.1)))
async def fail_once(number: int) -> None:
    note(f"fail {number}")
    if current_job().attempt == 1:
        raise ValueError("not yet")


@jobs.task
async def write(number: int) -> None:
    async with current_job().transaction() as connection:
        await connection.execute("INSERT INTO effects VALUES (%s)", [number])


@jobs.task
def write_in_a_thread(number: int) -> None:
    with current_job().transaction() as connection:
        connection.execute("INSERT INTO effects VALUES (%s)", [number])


@jobs.task
async def hold(word: str) -> None:
    note(word)
    while current_job().attempt == 1:
        await asyncio.sleep(0.01)
"""
# What a worker sets in sessions of its own, and whoever shares them would be surprised by.
SETTINGS = (
    *("jit", "plan_cache_mode", "enable_seqscan", "enable_nestloop", "lock_timeout"),
    *("idle_session_timeout", "default_transaction_isolation"),
    *("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"),
)
SESSION = f"""
SELECT pg_backend_pid(), {", ".join(f"current_setting('{name}')" for name in SETTINGS)},
       (SELECT count(*) FROM pg_prepared_statements),
       (SELECT count(*) FROM pg_listening_channels())
"""
ADVISORY_LOCKS = """
SELECT pid, objid = (%s::bigint & 4294967295)::oid FROM pg_locks
WHERE locktype = 'advisory'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Poolers:
    """PgBouncers before the fresh database of a test."""

    def __init__(self, books: Books, folder: Path, program: str) -> None:
        self._given = conninfo_to_dict(books.url)
        self._folder = folder
        self._program = program
        self._started: list[Pooler] = []

    def start(self, mode: str, *, sessions: int = SESSIONS) -> Pooler:
        server = {name: self._given.get(name) for name in ("host", "user", "password", "dbname")}
        pooler = Pooler(
            self._folder / f"pgbouncer {len(self._started)}",
            self._program,
            server=make_conninfo("", **{name: value for name, value in server.items() if value}),
            mode=mode,
            sessions=sessions,
        )
        self._started.append(pooler)
        pooler.start(int(self._given.get("port") or 5432))
        until(lambda: answers(pooler.url), what=f"PgBouncer answers; see {pooler.log}")
        return pooler

    def end(self) -> None:
        for pooler in self._started:
            pooler.end()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def pgbouncer(books: Books) -> Iterator[Poolers]:
    """Start PgBouncer before the fresh database."""
    program = poolers.program()
    if program is None:
        pytest.skip("nothing behind PgBouncer is tested: install the package pgbouncer")
    with tempfile.TemporaryDirectory(prefix="jobqueue-pgbouncer-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the servers' user has to get in
        it = Poolers(books, folder, program)
        try:
            yield it
        finally:
            it.end()


def sessions(pooler: Pooler) -> dict[int, tuple[object, ...]]:
    """Look into every session behind the pooler: what is set there, by the server's process."""
    with ExitStack() as stack:
        found = dict[int, tuple[object, ...]]()
        for _ in range(SESSIONS):
            # Its transaction stays open, so that the next connection gets another session.
            connection = stack.enter_context(psycopg.connect(pooler.url, prepare_threshold=None))
            [(process, *values)] = connection.execute(SESSION.encode()).fetchall()
            found[process] = tuple(values)
        return found


def locks(books: Books) -> list[tuple[int, bool]]:
    """Give who holds an advisory lock, and whether it is the leader's."""
    return books.rows(ADVISORY_LOCKS, [LEADER_LOCK])


def enqueue(books: Books, task: str, first: int, *, delay_seconds: float = 0) -> None:
    books.rows(
        "SELECT jobqueue.enqueue_many_v1(%s, (SELECT jsonb_agg(jsonb_build_object('number', n)) "
        "FROM generate_series(%s::int, %s) AS n), "
        "run_at => clock_timestamp() + make_interval(secs => %s))",
        [task, first, first + EACH_KIND - 1, delay_seconds],
    )


def finished(books: Books) -> None:
    until(lambda: books.unfinished() == 0, what="all jobs have ended", seconds=PATIENCE_SECONDS)


def test_workers_do_every_job_once_and_leave_nothing_in_the_poolers_sessions(
    books: Books, crew: Crew, pgbouncer: Poolers
) -> None:
    (crew.folder / "app.py").write_text(APPLICATION + MORE_TASKS)
    books.rows("CREATE TABLE effects (number int)")
    pooler = pgbouncer.start("transaction")
    before = sessions(pooler)
    assert len(before) == SESSIONS
    assert len(set(before.values())) == 1

    options = ("--direct-url", books.url, "--lease", "5s", "--transaction-connections", "3")
    workers = [crew.start(pooler.url, *options) for _ in range(2)]
    what = "both are at work, and one leads from a session of its own"
    until(
        lambda: (
            books.value("SELECT count(*) FROM jobqueue.workers") == 2
            and any(leads and pid not in before for pid, leads in locks(books))
        ),
        what=what,
        seconds=PATIENCE_SECONDS,
    )
    enqueue(books, "count", 1)
    enqueue(books, "count_in_a_thread", 1001)
    enqueue(books, "count", 2001, delay_seconds=2)
    enqueue(books, "fail_once", 1)
    enqueue(books, "write", 1)
    enqueue(books, "write_in_a_thread", 1001)
    finished(books)
    assert books.states() == {"completed": 6 * EACH_KIND}
    numbers = [*range(1, 101), *range(1001, 1101), *range(2001, 2101)]
    once = {str(number): 1 for number in numbers}
    assert crew.runs() == once | {f"fail {number}": 2 for number in range(1, 101)}
    effects = books.rows("SELECT number FROM effects ORDER BY number")
    assert [number for (number,) in effects] == [*range(1, 101), *range(1001, 1101)]
    attempts = "SELECT DISTINCT attempt FROM jobqueue.job_history WHERE task = 'fail_once'"
    assert books.rows(attempts) == [(2,)]

    job = books.value("""SELECT job_id FROM jobqueue.enqueue_v1('hold', '{"word": "held"}')""")
    until(lambda: crew.runs()["held"] == 1, what="the job runs", seconds=PATIENCE_SECONDS)
    [holder] = [pid for pid, word in crew.notes() if word == "held"]
    [victim] = [worker for worker in workers if worker.pid == holder]
    [heir] = [worker for worker in workers if worker.pid != holder]
    victim.signal(signal.SIGKILL)
    assert victim.exit_code() == -signal.SIGKILL
    finished(books)
    assert (books.state(job), books.job(job).attempt) == ("completed", 2)

    assert heir.stop() == 0
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    until(lambda: not locks(books), what="no lock is left")
    assert set(sessions(pooler).values()) == set(before.values())
    for worker in workers:
        traced = [line for line in worker.log.splitlines() if "Traceback" in line]
        # Those of the jobs that fail once; what the worker itself raised would be no line of JSON.
        assert {json.loads(line)["error_message"] for line in traced} <= {"not yet"}


@pytest.mark.parametrize("subject", ["database", "direct URL"])
def test_a_worker_whose_sessions_would_be_shared_refuses_to_start(
    books: Books, crew: Crew, pgbouncer: Poolers, subject: str
) -> None:
    pooler = pgbouncer.start("transaction")
    before = sessions(pooler)
    direct = ("--direct-url", pooler.url) if subject == "direct URL" else ()
    worker = crew.start(pooler.url, *direct)
    assert worker.exit_code(seconds=PATIENCE_SECONDS) == 2
    assert f"error: {subject}: {SHARED}" in worker.log
    assert sessions(pooler) == before
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0


def test_a_pooler_in_session_mode_needs_no_direct_url(
    books: Books, crew: Crew, pgbouncer: Poolers
) -> None:
    worker = crew.start(pgbouncer.start("session", sessions=10).url)
    enqueue(books, "count", 1)
    finished(books)
    assert books.states() == {"completed": EACH_KIND}
    assert worker.stop() == 0


def test_a_worker_is_woken_directly_and_polls_while_the_direct_way_is_gone(
    books: Books, pgbouncer: Poolers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The direct way is a pooler in session mode here, which can be taken away."""
    pooler, direct = pgbouncer.start("transaction"), pgbouncer.start("session", sessions=10)
    jobs = JobQueue()

    @jobs.task
    async def note() -> None: ...

    async def completes() -> None:
        job = books.value("SELECT job_id FROM jobqueue.enqueue_v1('note')")
        await auntil(lambda: books.state(job) == "completed", what="the job is run")

    async def scenario(poll_seconds: float, *, way_goes: bool) -> None:
        settings = WorkerSettings(poll_seconds=poll_seconds)
        running = Running(Worker(jobs, settings, database_url=pooler.url, direct_url=direct.url))
        try:
            await auntil(books.sleeping, what="it sleeps")
            if way_goes:
                direct.end()
            await completes()
        finally:
            await running.stopped()

    with monkeypatch.context() as patched:
        # One that finds nothing behaves at once as one that has found nothing for long.
        patched.setattr(claimer, "FIRST_LOOK_SECONDS", LONG_PAUSE_SECONDS)
        play(scenario(LONG_PAUSE_SECONDS, way_goes=False))
    play(scenario(0.2, way_goes=True))
