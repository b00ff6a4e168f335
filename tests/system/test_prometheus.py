"""A real Prometheus scrapes a real fleet: every alert that is shipped fires, and clears.

Waits and thresholds of time are shortened; the rules are otherwise those of deploy/prometheus.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell
from tests.waiting import until
from tests.worker.books import Books

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "jobqueue.rules.yml"
SHORTENED = (
    (r"for: \d+m", "for: 1s"),
    (r"interval: 15s", "interval: 1s"),
    (r"(jobqueue_queue_oldest_seconds\)) > 300", r"\1 > 3"),
    (r"(jobqueue_schedule_late_seconds\)) > 60", r"\1 > 2"),
    (r"(jobqueue_sample_age_seconds\)) > 60", r"\1 > 12"),
    (r"(jobqueue_oldest_transaction_seconds\)) > 1800", r"\1 > 2"),
)
FIRES_SECONDS = 60.0
APPLICATION = """
from jobqueue import JobQueue

jobs = JobQueue()


@jobs.task
async def works() -> None: ...


@jobs.task
async def fails() -> None:
    raise ValueError("no")
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def beside(process: subprocess.Popen[str]) -> Iterator[None]:
    """Have a process of ours run beside the body."""
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Fleet:
    """A folder with an application, an exporter's port, and a Prometheus that asks it."""

    def __init__(self, shell: Shell, books: Books) -> None:
        self.shell = shell
        self.books = books
        self.port = free_port()
        self.prometheus_port = free_port()
        self.fired: set[str] = set()

    def prometheus(self, program: str) -> subprocess.Popen[str]:
        """Start it, with the shortened rules."""
        text = RULES.read_text()
        for pattern, shorter in SHORTENED:
            text, found = re.subn(pattern, shorter, text)
            assert found, pattern
        folder = self.shell.folder
        (folder / "jobqueue.rules.yml").write_text(text)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [jobqueue.rules.yml]\n"
            "scrape_configs:\n"
            "  - job_name: fleet\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{self.port}']}}]\n"
        )
        return subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            ],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def exporter(self) -> subprocess.Popen[str]:
        return self.shell.start("exporter", "--port", f"127.0.0.1:{self.port}")

    def worker(self, *options: str) -> subprocess.Popen[str]:
        return self.shell.start(
            "worker", "shop:jobs", "--lease", "3s", "--log-jobs", "failed", *options
        )

    def firing(self) -> set[str]:
        """Name the alerts that fire now."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/alerts"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                told = json.load(answer)["data"]["alerts"]
        except OSError:
            return {"Prometheus does not answer"}
        return {one["labels"]["alertname"] for one in told if one["state"] == "firing"}

    def fires(self, *names: str) -> None:
        """Wait until these fire."""
        missing = lambda: set(names) - self.firing()  # noqa: E731
        until(lambda: not missing(), what=f"{names} fire", seconds=FIRES_SECONDS)
        self.fired |= set(names)

    def clears(self) -> None:
        """Wait until none fires."""
        until(lambda: not self.firing(), what="all alerts clear", seconds=FIRES_SECONDS)

    def forget_counts(self) -> None:
        """Let what workers counted be long ago."""
        self.books.rows(
            "UPDATE jobqueue.queue_counts SET minute = minute - random() * interval '1 hour'"
            " - interval '6 minutes'"
        )

    @contextmanager
    def cause(self, *names: str, mend: Callable[[], object]) -> Iterator[None]:
        """Do what makes alerts fire; they do, and clear when it is mended."""
        yield
        self.fires(*names)
        mend()
        self.clears()


@pytest.fixture
def fleet(tmp_path: Path, database_url: str, books: Books) -> Iterator[Fleet]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is missing: apt-get install prometheus")
    shell = Shell(tmp_path, database_url)
    (tmp_path / "shop.py").write_text(APPLICATION)
    it = Fleet(shell, books)
    with beside(it.prometheus(program)):
        yield it


def test_every_alert_fires_and_clears(fleet: Fleet, database_url: str) -> None:
    books = fleet.books
    with beside(fleet.exporter()):
        with beside(fleet.worker()):
            fleet.clears()
            deep = ("JobqueueQueueDeep", "JobqueueOldestWaits", "JobqueueQueueNotServed")
            with fleet.cause(*deep, mend=lambda: books.rows("DELETE FROM jobqueue.jobs")):
                books.rows(
                    "SELECT jobqueue.enqueue_many_v1('works', (SELECT jsonb_agg('{}'::jsonb)"
                    " FROM generate_series(1, 5001)), queue => 'deep')"
                )

            def purge() -> None:
                books.rows("DELETE FROM jobqueue.dead_letters")
                fleet.forget_counts()

            failing = ("JobqueueDeadLetters", "JobqueueFailingSome", "JobqueueFailing")
            with fleet.cause(*failing, mend=purge):
                books.rows("SELECT jobqueue.enqueue_v1('fails', max_attempts => 1)")

            with fleet.cause("JobqueueSlow", mend=fleet.forget_counts):
                books.rows(
                    "SELECT jobqueue.enqueue_v1('works', run_at => now() - interval '2 minutes')"
                )

            with psycopg.connect(to_conninfo(database_url)) as holder:
                holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                held = ("JobqueueScheduleLate", "JobqueueVacuumHeldBack")
                with fleet.cause(*held, mend=holder.rollback):
                    books.rows(
                        "INSERT INTO jobqueue.schedules (name, task, every_seconds)"
                        " VALUES ('often', 'works', 1)"
                    )
                    until(
                        lambda: books.value("SELECT runs > 0 FROM jobqueue.schedules"),
                        what="it runs",
                    )
                    holder.execute("SELECT * FROM jobqueue.schedules FOR UPDATE")
                books.rows("DELETE FROM jobqueue.schedules")
        fleet.fires("JobqueueNoWorker", "JobqueueSampleOld")
        with beside(fleet.worker("--no-leader")):
            fleet.fires("JobqueueNoLeader")
        with beside(fleet.worker()):
            fleet.clears()
            view = "ALTER VIEW jobqueue.{} RENAME TO {}"

            def mend() -> None:
                books.rows(view.format("gone", "queue_metrics"))

            with fleet.cause("JobqueueDatabaseDown", mend=mend):
                books.rows(view.format("queue_metrics", "gone"))
    fleet.fires("JobqueueExporterDown")
    with beside(fleet.exporter()), beside(fleet.worker()):
        fleet.clears()
    assert fleet.fired == set(re.findall(r"- alert: (\w+)", RULES.read_text()))
