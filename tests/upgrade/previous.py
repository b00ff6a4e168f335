"""The previous release, run as it was from its wheel, beside the code under test."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.waiting import until

WHEEL = Path(__file__).parent / "jobqueue-0.1.0-py3-none-any.whl"
CHECKOUT = Path(__file__).parents[2]
REVISION = "0001"

APPLICATION = """
import os
import sys
from pathlib import Path

from jobqueue import JobQueue

jobs = JobQueue()
HERE = Path(__file__).parent


def note(word):
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (word + "\\n").encode())
    os.close(file)


@jobs.task
async def count(number: int) -> None:
    note(f"{number}")


@jobs.task
def count_in_a_thread(number: int) -> None:
    note(f"{number}")


@jobs.task
async def fail_once(word: str) -> None:
    first = not (HERE / word).exists()
    (HERE / word).touch()
    if first:
        raise ValueError("not yet")
    note(word)


@jobs.task
async def forbidden(word: str, token: str = "") -> None:
    raise RuntimeError(word)


if __name__ == "__main__":
    import psycopg

    start, end = int(sys.argv[1]), int(sys.argv[2])
    with jobs.connect() as connection:
        for number in range(start, end - 1):
            count.enqueue(connection, number)
        count_in_a_thread.using(priority="critical", delay=0.1).enqueue(connection, end - 1)
"""


class Release:
    """A release of the package, with the small application, in a folder."""

    def __init__(self, folder: Path, url: str, package: Path) -> None:
        self.folder = folder
        self.package = package
        self._url = url
        self._processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(APPLICATION)

    def run(self, *command: str) -> str:
        """Run Python with `command` to its end and give what it printed."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobqueue(self, *arguments: str) -> str:
        """Run the command line of this release."""
        return self.run("-m", "jobqueue", *arguments)

    def enqueue(self, numbers: range) -> None:
        """Enqueue jobs as this release does."""
        self.run("app.py", str(numbers.start), str(numbers.stop))

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker of this release; its log is in the folder."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jobqueue",
                    "worker",
                    "app:jobs",
                    "--poll",
                    "200ms",
                    *options,
                ],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    @property
    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return sorted(path.read_text().split()) if path.exists() else []

    def ready(self) -> None:
        """Wait until the worker serves its queue."""
        until(lambda: "serves default" in self.log, what="the worker is at work")

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JOBQUEUE_", "PYTHONPATH"))
        }
        path = os.pathsep.join([str(self.package), str(self.folder)])
        return {**kept, "PYTHONPATH": path, "JOBQUEUE_DATABASE_URL": self._url}


def unpacked(folder: Path) -> Path:
    """Unpack the wheel: its migrations have to be files."""
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    return folder
