"""A real worker in a process of its own, as an operator would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.workload import RUN_LOG_VARIABLE
from jobqueue.store.database import URL_VARIABLE

ROOT = Path(__file__).parent.parent
QUEUE = "default=10"
# What a line for each job costs is measured by itself.
COMMAND = ("-m", "jobqueue", "worker", "benchmarks.workload:jobs", "--log-jobs", "failed")
STOP_SECONDS = 20.0
DEADLINE_SECONDS = 120.0


class MeasureError(Exception):
    """A measure came to no result that could be trusted."""


class WorkerProcess:
    """A running worker; its output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def check_alive(self, what: str) -> None:
        """Raise MeasureError with what the worker said, if it has ended."""
        if self._process.poll() is not None:
            raise MeasureError(f"{what}: the worker ended; it said:\n{self.said()}")

    def peak_memory_mib(self) -> float:
        """Give the most resident memory the process has had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024

    def said(self) -> str:
        """Give the end of what it wrote."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-4_000:]


def command(queues: Sequence[str] = (QUEUE,), options: Sequence[str] = ()) -> list[str]:
    """Give the arguments of Python that start a worker for these queues. options: further ones."""
    return [*COMMAND, *(word for queue in queues for word in ("--queue", queue)), *options]


def wait_until(
    condition: Callable[[], bool],
    workers: Sequence[WorkerProcess],
    *,
    what: str,
    seconds: float = DEADLINE_SECONDS,
) -> None:
    """Wait for `condition`, looking often.

    Raises MeasureError at the deadline, or when a worker ends before.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        for one in workers:
            one.check_alive(what)
        if time.monotonic() > deadline:
            said = "\n".join(one.said() for one in workers)
            raise MeasureError(f"{what}: not within {seconds:g} s; the workers said:\n{said}")
        time.sleep(0.005)


@contextmanager
def worker(
    url: str, *, run_log: Path, queues: Sequence[str] = (QUEUE,), options: Sequence[str] = ()
) -> Generator[WorkerProcess]:
    """Run a worker on the database at `url` until the end of the block."""
    environment = {**os.environ, URL_VARIABLE: url, RUN_LOG_VARIABLE: str(run_log)}
    output = run_log.with_suffix(".worker.log")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command(queues, options)],
            cwd=ROOT, env=environment, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield WorkerProcess(process, output)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
