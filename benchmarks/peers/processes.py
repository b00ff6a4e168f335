"""A peer's program at work: commands that end, workers, and one that enqueues when told."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from benchmarks.peers.environments import Environment
from benchmarks.runs import Run, RunLog
from benchmarks.worker_process import MeasureError

COMMAND_SECONDS = 900.0
ANSWER_SECONDS = 30.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.005


def command(environment: Environment, *arguments: str) -> str:
    """Run one command of the program to its end, and give its last line of output."""
    try:
        done = subprocess.run(
            [*environment.command, *arguments],
            env=os.environ | environment.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasureError(f"{arguments[0]}: not done within {COMMAND_SECONDS:g} s") from error
    if done.returncode:
        said = (done.stdout + done.stderr)[-4_000:]
        raise MeasureError(f"{arguments[0]}: exit code {done.returncode}; it said:\n{said}")
    return done.stdout.strip().rpartition("\n")[2]


class Workers:
    """Worker processes that serve one queue together, each with a log of runs and its output."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], paths: Sequence[Path]) -> None:
        self._processes = processes
        self._outputs = [_output(path) for path in paths]
        self._logs = [RunLog(path) for path in paths]

    def wait_until(self, condition: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Wait for `condition`, looking often.

        Raises MeasureError at the deadline, or when a worker ends before.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if any(process.poll() is not None for process in self._processes):
                raise MeasureError(f"{what}: a worker ended; {self.said()}")
            if time.monotonic() > deadline:
                raise MeasureError(f"{what}: not within {seconds:g} s; {self.said()}")
            time.sleep(LOOK_SECONDS)

    def noted(self) -> int:
        """Give the number of runs that are noted so far."""
        return sum(log.noted() for log in self._logs)

    def runs(self) -> list[Run]:
        """Give every run so far, in the order of the jobs' numbers."""
        return sorted(run for log in self._logs for run in log.runs())

    def check_once_each(self, count: int) -> None:
        """Raise MeasureError unless each of the jobs 0 to `count` has run once."""
        numbers = [run.number for run in self.runs()]
        if numbers != list(range(count)):
            raise MeasureError(
                f"runs: {len(numbers)} of {len(set(numbers))} jobs, {count} enqueued; "
                f"each should have run once; {self.said()}"
            )

    def peak_memory_mib(self) -> float:
        """Give the sum of the most resident memory each process has had, children among them."""
        children: defaultdict[int, list[int]] = defaultdict(list)
        peaks: dict[int, float] = {}
        for entry in Path("/proc").iterdir():
            # One may end while we read.
            with suppress(OSError, ValueError):
                pid = int(entry.name)
                parent, peaks[pid] = _parent_and_peak(entry / "status")
                children[parent].append(pid)
        total = 0.0
        waiting = [process.pid for process in self._processes]
        while waiting:
            pid = waiting.pop()
            total += peaks.get(pid, 0.0)
            waiting += children[pid]
        return total

    def said(self) -> str:
        """Give the end of each worker's output, to quote in an error."""
        return "\n".join(_end(path) for path in self._outputs)

    def close(self) -> None:
        """Let go of the logs."""
        for log in self._logs:
            log.close()


@contextmanager
def workers(
    environment: Environment, url: str, folder: Path, *, processes: int, jobs: int
) -> Generator[Workers]:
    """Run so many workers on the database at `url` until the end of the block.

    They have stopped by then, so what they noted can be checked after it, until the next call.
    """
    paths = [folder / f"{number}.runs" for number in range(processes)]
    for path in paths:
        # Twice as many as there are, so that a job that runs twice is seen.
        RunLog.create(path, jobs * 2).close()
    with ExitStack() as stack:
        running = [stack.enter_context(_worker(environment, url, path)) for path in paths]
        yield Workers(running, paths)


@contextmanager
def _worker(environment: Environment, url: str, path: Path) -> Generator[subprocess.Popen[bytes]]:
    with (
        _output(path).open("wb") as file,
        _process(
            [*environment.command, "work", url, str(path)],
            environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        ) as process,
    ):
        yield process


class Trickle:
    """A process that enqueues single jobs, one when it is told to."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input = process.stdin
        self._output = process.stdout
        self._errors = errors

    def enqueue(self, number: int) -> int:
        """Have one job enqueued. Gives the moment after its COMMIT, by CLOCK_MONOTONIC, in ns."""
        with suppress(BrokenPipeError):
            self._input.write(b"%d\n" % number)
            self._input.flush()
        # There is never more than one line to come.
        if not select.select([self._output], [], [], ANSWER_SECONDS)[0]:
            raise MeasureError(
                f"job {number}: not enqueued within {ANSWER_SECONDS:g} s; {_end(self._errors)}"
            )
        answer = self._output.readline().split()
        if len(answer) != 2 or int(answer[0]) != number:
            raise MeasureError(f"job {number}: answered by {answer!r}; {_end(self._errors)}")
        return int(answer[1])


@contextmanager
def trickle(environment: Environment, url: str, folder: Path) -> Generator[Trickle]:
    """Have a process that enqueues, connected, until the end of the block."""
    errors = folder / "trickle.out"
    with (
        errors.open("wb") as file,
        _process(
            [*environment.command, "trickle", url],
            environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
        ) as process,
    ):
        yield Trickle(process, errors)


@contextmanager
def _process(
    arguments: Sequence[str],
    environment: Environment,
    *,
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Generator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block."""
    variables = os.environ | environment.variables
    with subprocess.Popen(
        arguments, env=variables, stdin=stdin, stdout=stdout, stderr=stderr
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _end(output: Path) -> str:
    text = output.read_text(encoding="utf-8", errors="replace")[-2_000:]
    return f"it said:\n{text or '(nothing)'}"


def _output(path: Path) -> Path:
    return path.with_suffix(".out")


def _parent_and_peak(status: Path) -> tuple[int, float]:
    fields = dict(
        line.split(":", 1)
        for line in status.read_text(encoding="utf-8").splitlines()
        if ":" in line
    )
    # Kernel threads have no memory of their own.
    return int(fields["PPid"]), int(fields.get("VmHWM", "0 kB").split()[0]) / 1024
