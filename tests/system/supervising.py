"""`jobqueue worker --processes N` as a process of its own, and the workers that it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.system.processes import APPLICATION, Crew, WorkerProcess
from tests.waiting import until
from tests.worker.books import Books

# Runs whatever is in the file `at_start`, so that a test can spoil the start of a worker.
MORE = '''

held = []


@jobs.task
def grow(word: str) -> None:
    """Leak a hundred megabytes, and go on for a moment."""
    held.append(b"x" * 100_000_000)
    note(word)
    time.sleep(1.5)
    note(f"{word} finished")


@jobs.task
def look_around(word: str) -> None:
    note(os.environ.get("JOBQUEUE_SUPERVISED", word))


if (HERE / "at_start").exists():
    exec((HERE / "at_start").read_text())
'''

KILL_ITSELF = "os.kill(os.getpid(), signal.SIGKILL)"


class SupervisorProcess(WorkerProcess):
    """A supervisor in a session of its own, so that no terminal of the tests' is its own."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *options: str,
        application: str = "app:jobs",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log_path = folder / "log"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("JOBQUEUE_")
        }
        command = ["-m", "jobqueue", "worker", application, "--poll", "200ms", *options]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={
                    **inherited,
                    "JOBQUEUE_DATABASE_URL": url,
                    "JOBQUEUE_LOG_FORMAT": "text",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The tests themselves may run under nohup.
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
            )

    def working(self) -> list[int]:
        """Give the processes of the workers that said that they serve, in that order."""
        found = re.findall(r"\[worker \d+ (\d+)\] INFO worker \S+: serves", self.log)
        return [int(pid) for pid in found]

    def all_work(self, count: int) -> list[int]:
        """Wait until so many workers have started since the beginning, and give them."""
        return until(
            lambda: len(pids := self.working()) >= count and pids, what=f"{count} workers serve"
        )

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and to its workers, as a terminal and some managers do."""
        os.killpg(self.pid, number)

    def end(self) -> None:
        """End it and what it started, whatever they are doing."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def write_application(folder: Path, *, more: str = MORE) -> None:
    (folder / "app.py").write_text(APPLICATION + more)


Start = Callable[..., SupervisorProcess]


@pytest.fixture
def start(books: Books, crew: Crew) -> Iterator[Start]:
    """Start supervisors; every one is ended with the test."""
    write_application(crew.folder)
    started: list[SupervisorProcess] = []

    def start(*options: str, url: str = books.url, **more: Any) -> SupervisorProcess:
        started.append(SupervisorProcess(crew.folder, url, *options, **more))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.end()


def enqueue(books: Books, task: str, word: str) -> UUID:
    return books.value(
        "SELECT job_id FROM jobqueue.enqueue_v1(%s, jsonb_build_object('word', %s::text))",
        [task, word],
    )
