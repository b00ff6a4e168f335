"""What a worker leaves behind holds no secret: its log, its errors, its sessions, its processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from jobqueue import JobQueue
from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell
from tests.security.guarded import PASSWORD, TELLTALE, Guarded
from tests.security.secretive import APPLICATION, HUSH, SAYING, TELLTALES
from tests.security.settings import known
from tests.system.processes import WorkerProcess
from tests.waiting import until
from tests.worker.books import Books

# Each is run once with these. The last ones no longer fit the signature they are read with.
JOBS = {
    "fails": {"user": "ann", "token": HUSH, "password": HUSH},
    "fails_in_a_coroutine": {"token": HUSH},
    "cancelled": {"token": HUSH},
    "commits_and_fails": {"token": HUSH},
    "breaks_the_database": {"token": HUSH},
    "mistyped": {"user": "ann", "token": [HUSH], "numbers": [HUSH]},
    "renamed": {"tokn": 1, "token": {"inner": HUSH}},
}
TELLING = [line.split()[-1].split("(")[0] for line in re.findall(r"def says\w*\(", SAYING)]


class Run:
    """A worker at DEBUG on a server that asks for a password, and everything that it left."""

    def __init__(self, folder: Path, server: Guarded, books: Books, source: str) -> None:
        (folder / "app.py").write_text(source)
        self.folder = folder
        self.books = books
        self.url = server.url(password=PASSWORD)
        self.shell = Shell(folder, self.url)
        assert self.shell.quick("migrate").returncode == 0
        self.seen = {"commands": ""}

    def play(self, jobs: Mapping[str, Mapping[str, object]], *, interrupt: bool) -> None:
        for task, args in jobs.items():
            self.books.rows("SELECT jobqueue.enqueue_v1(%s, %s)", [task, json.dumps(args)])
        worker = WorkerProcess(self.folder, self.url, "--log-level", "debug", "--grace", "0")
        try:
            until(lambda: self.books.unfinished() == 0, what="every job ends")
            if interrupt:
                self._disturb(worker)
            worker.signal(signal.SIGTERM)
            worker.exit_code()
        finally:
            worker.end()
        self.seen["log"] = worker.log
        self._look()

    def _disturb(self, worker: WorkerProcess) -> None:
        """Let it lose its connections, and look at it while a job runs."""
        self.books.rows(
            "SELECT jobqueue.enqueue_v1('interrupted', %s)", [json.dumps({"token": HUSH})]
        )
        query = "SELECT count(*) FROM jobqueue.jobs WHERE state = 'running'"
        until(lambda: self.books.value(query), what="the job runs")
        self._look_at_sessions(worker)
        self.books.cut()
        until(lambda: "lost" in worker.log, what="it notices")

    def _look_at_sessions(self, worker: WorkerProcess) -> None:
        rows = self.books.rows("SELECT to_jsonb(one)::text FROM pg_stat_activity AS one")
        # Its environment is its own affair; what everybody may see is the command.
        command = ["ps", "-ww", "-o", "args=", "-p", str(worker.pid)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "jobqueue worker" in shown
        self.seen["sessions"] = "\n".join(row[0] for row in rows)
        self.seen["ps"] = shown + Path(f"/proc/{worker.pid}/cmdline").read_text()

    def _look(self) -> None:
        for view in ("all_jobs", "dead_jobs"):
            rows = self.books.rows(f"SELECT to_jsonb(one)::text FROM jobqueue.{view} AS one")
            self.seen[view] = "\n".join(row[0] for row in rows)
        ids = [str(row[0]) for row in self.books.rows("SELECT id FROM jobqueue.all_jobs")]
        commands = [["jobs", "list"], ["dead", "list"], ["stats"]]
        commands += [["jobs", "show", one] for one in ids]
        for command in commands:
            for more in ([], ["--json"]):
                done = self.shell.quick(*command, *more)
                assert done.returncode == 0, done.stderr
                self.seen["commands"] += f"{command}\n{done.stdout}{done.stderr}"

    def leaks(self, *words: str) -> dict[str, str]:
        """Give where any of `words` is seen, with what is around it."""
        found: dict[str, str] = {}
        for place, text in self.seen.items():
            for word in words:
                if (at := text.find(word)) >= 0:
                    found[f"{word!r} in {place}"] = text[max(0, at - 200) : at + 100]
        return found


@pytest.fixture
def run(tmp_path: Path, server: Guarded, open_books: Books) -> Run:
    return Run(tmp_path, server, open_books, APPLICATION)


def test_a_worker_shows_neither_the_databases_password_nor_an_argument_that_is_secret(
    run: Run,
) -> None:
    run.play(JOBS, interrupt=True)
    assert run.leaks(TELLTALE, *TELLTALES) == {}
    assert "[redacted]" in run.seen["all_jobs"]
    log = run.seen["log"]
    assert "too late" in log, "it has been as talkative as it can be"
    assert '"level":"debug"' in log
    assert '"event":"at work"' in log
    assert "worker acks" in run.seen["sessions"]
    states = run.books.states()
    assert states["dead"] == len(JOBS) - 2
    assert states["cancelled"] == 1


@known("secrets in messages of tasks")
def test_not_even_where_the_task_itself_says_it(
    tmp_path: Path, server: Guarded, open_books: Books
) -> None:
    run = Run(tmp_path, server, open_books, APPLICATION + SAYING)
    given = {task: {"token": HUSH} for task in TELLING}
    given["says_by_pydantic"] = {"password": HUSH}
    run.play(given, interrupt=False)
    assert run.leaks(*TELLTALES) == {}
    assert "no entry for [redacted]" in run.seen["all_jobs"], "and the rest of it is kept"


def test_no_object_of_ours_shows_the_password_of_its_database(
    server: Guarded, tmp_path: Path
) -> None:
    url = server.url(password=PASSWORD)
    jobs = JobQueue(url)

    @jobs.task
    def work() -> None: ...

    shown = [repr(jobs), repr(work), str(jobs), repr(work.using(queue="q")), repr(work.signature)]
    assert not [one for one in shown if TELLTALE in one]
    nobody = make_conninfo(to_conninfo(url), host=str(tmp_path))
    with pytest.raises(Exception, match="no connection") as refused:
        JobQueue(nobody).connect()
    assert TELLTALE not in repr(refused.value) + str(refused.getrepr(style="native"))
