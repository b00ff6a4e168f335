"""The database server stops, crashes and comes back in the middle of the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jobqueue.store import migrations
from jobqueue.testing import embedded
from tests.conftest import POSTGRES
from tests.system.processes import Crew
from tests.waiting import until
from tests.worker.books import Books

JOBS = 2000


class Server:
    """An embedded server of the test's own, which it may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = self.start()

    def start(self) -> str:
        return self._dev("start", "--postgres", str(POSTGRES)).strip()

    def stop(self) -> None:
        self._dev("stop")

    def crash(self) -> None:
        """End it without a checkpoint, as a power cut does."""
        pid = int((self.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        until(lambda: not embedded.running(self.folder), what="the server is gone")

    def _dev(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "jobqueue", "dev", *arguments, "--folder", str(self.folder)],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="jobqueue-test-") as folder:
        it = Server(Path(folder) / "postgres")
        try:
            migrations.upgrade(it.url)
            yield it
        finally:
            it.stop()


@pytest.fixture
def empty(server: Server) -> Server:
    """Give the server, running, with no job in it."""
    server.start()
    books = Books(server.url)
    books.rows("TRUNCATE jobqueue.jobs, jobqueue.job_history, jobqueue.dead_letters")
    books.close()
    return server


def enqueue(url: str) -> None:
    books = Books(url)
    books.rows(
        "SELECT jobqueue.enqueue_many_v1('count', "
        "(SELECT jsonb_agg(jsonb_build_object('number', n)) FROM generate_series(1, %s) n))",
        [JOBS],
    )
    books.close()


def all_done(url: str) -> bool:
    """Whether nothing is left, as far as the server can be asked."""
    try:
        books = Books(url)
    except psycopg.OperationalError:
        return False
    try:
        return books.unfinished() == 0
    finally:
        books.close()


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_a_worker_survives_a_restart_of_the_server_and_finishes_everything(
    empty: Server, crew: Crew, how: str
) -> None:
    enqueue(empty.url)
    worker = crew.start(empty.url)
    for part in (200, 900):
        until(lambda at=part: len(crew.runs()) > at, what="jobs run")
        empty.stop() if how == "stop" else empty.crash()
        until(lambda: "trying again" in worker.log, what="the worker notices")
        empty.start()
    until(lambda: all_done(empty.url), what="everything is done")
    books = Books(empty.url)
    try:
        assert books.states() == {"completed": JOBS}
        assert books.rows("SELECT DISTINCT attempt FROM jobqueue.job_history") == [(1,)]
    finally:
        books.close()
    assert crew.runs() == {str(number): 1 for number in range(1, JOBS + 1)}
    assert worker.stop() == 0


def test_a_worker_started_before_the_server_waits_for_it(empty: Server, crew: Crew) -> None:
    enqueue(empty.url)
    empty.stop()
    worker = crew.start(empty.url)
    until(lambda: "no connection" in worker.log, what="the worker says that it waits")
    empty.start()
    until(lambda: all_done(empty.url), what="everything is done")
    assert worker.stop() == 0
