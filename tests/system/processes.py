"""Worker processes of a small application that notes, outside the database, what it ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

APPLICATION = '''
import asyncio
import os
import signal
import time
from pathlib import Path

from jobqueue import JobQueue

jobs = JobQueue()
HERE = Path(__file__).parent


def note(word):
    """One line a start, whole even when many processes write and one of them is killed."""
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.getpid()} {word}\\n".encode())
    os.close(file)


@jobs.task
async def count(number: int, seconds: float = 0.002) -> None:
    note(number)
    await asyncio.sleep(seconds)


@jobs.task
def count_in_a_thread(number: int, seconds: float = 0.002) -> None:
    note(number)
    time.sleep(seconds)


@jobs.task
async def until_told(word: str) -> None:
    note(word)
    while not (HERE / "go_on").exists():
        await asyncio.sleep(0.01)


@jobs.task
def stuck(word: str) -> None:
    note(word)
    time.sleep(300)


@jobs.task
async def stubborn(word: str) -> None:
    note(word)
    while True:
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            pass


class Unreadable(Exception):
    def __str__(self):
        raise SystemExit(3)


@jobs.task
async def unreadable(word: str) -> None:
    note(word)
    raise Unreadable


@jobs.task
def deadly(word: str) -> None:
    note(word)
    os.kill(os.getpid(), signal.SIGKILL)
'''


class WorkerProcess:
    """`jobqueue worker` as a process of its own; what it logs is in a file."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.log_path = folder / f"log {len(list(folder.glob('log *')))}"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("JOBQUEUE_")
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
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
                cwd=folder,
                env={**environment, "JOBQUEUE_DATABASE_URL": url},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self, *, seconds: float = 20.0) -> int:
        """Wait for it to end. Raises TimeoutExpired if it does not."""
        return self.process.wait(timeout=seconds)

    def stop(self, *, seconds: float = 20.0) -> int:
        """Ask it to stop, and wait for it to end."""
        self.signal(signal.SIGTERM)
        return self.exit_code(seconds=seconds)

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Crew:
    """The worker processes of one test, in a folder with their application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[WorkerProcess] = []
        (folder / "app.py").write_text(APPLICATION)

    def start(self, url: str, *options: str) -> WorkerProcess:
        worker = WorkerProcess(self.folder, url, *options)
        self.workers.append(worker)
        return worker

    def go_on(self) -> None:
        """Let `until_told` jobs end."""
        (self.folder / "go_on").touch()

    def end(self) -> None:
        for worker in self.workers:
            worker.end()

    def notes(self) -> list[tuple[int, str]]:
        """Give what was noted: the process and the word, in order."""
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), word) for pid, word in (line.split(" ", 1) for line in lines)]

    def runs(self) -> Counter[str]:
        """Give how often each word was noted."""
        return Counter(word for _, word in self.notes())
