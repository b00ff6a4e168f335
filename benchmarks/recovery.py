"""How soon work goes on after something was killed, restarted or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.database import single
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.noted_jobs import NOTES_VARIABLE, Note, nap, read_notes
from benchmarks.worker_process import ROOT, MeasureError, WorkerProcess, wait_until
from jobqueue.store import migrations
from jobqueue.store.database import URL_VARIABLE
from jobqueue.testing import embedded

APPLICATION = "benchmarks.noted_jobs:jobs"
LEASE_SECONDS = 5
# Longer than any measure here: what is measured does not wait for it.
LONG_LEASE = "300s"
LONG_JOB_SECONDS = 600.0
# Of the worker that is stopped, and of jobs for it.
SLOTS = 10
QUICK_JOBS = 3_000
LONG_JOBS = 300
TRIES = 5
STOP_SECONDS = 60.0

Connection = psycopg.Connection[Any]


def recovery(_: Options) -> Group:
    """A killed worker, a restarted server, a worker that was asked to stop."""

    def measure(bench: Bench) -> Samples:
        return {
            "recovery.killed.supervised": _killed(
                bench, [["--processes", "2", "--lease", LONG_LEASE]]
            ),
            "recovery.killed.alone": _killed(bench, [["--lease", f"{LEASE_SECONDS}s"]] * 2),
            "recovery.restart.fast": _restarted(bench, signal.SIGINT),
            "recovery.restart.immediate": _restarted(bench, signal.SIGQUIT),
            "recovery.stopped": _until_caught(bench),
        }

    def seconds(name: str, meaning: str, target: float) -> Metric:
        return Metric(f"recovery.{name}", "s", meaning, target, less_is_better=True)

    return Group(
        "recovery",
        (
            seconds(
                "killed.supervised", "SIGKILL of one of 2 processes to its job's next start", 1
            ),
            seconds(
                "killed.alone",
                f"SIGKILL of a worker, lease {LEASE_SECONDS} s, to its job's next start",
                LEASE_SECONDS + 1,
            ),
            seconds("restart.fast", "server back after a fast shutdown to a job's start", 2),
            seconds("restart.immediate", "server back after an immediate one to a job's start", 2),
            seconds("stopped", "SIGTERM to the start elsewhere of all it had in hand", 1),
        ),
        {
            "worker": f"python -m jobqueue worker {APPLICATION}",
            "lease_seconds": LEASE_SECONDS,
            "lease_under_supervisor": LONG_LEASE,
            "quick_jobs_before_stop": QUICK_JOBS,
            "long_jobs_before_stop": LONG_JOBS,
        },
        measure,
        most_rounds=5,
    )


class Scene:
    """Workers on one database, and what their jobs noted."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self._url = url
        self._folder = folder
        self._stack = stack
        self._notes = folder / "recovery.notes"
        self._notes.unlink(missing_ok=True)
        self.workers: list[WorkerProcess] = []

    def start(self, *options: str) -> WorkerProcess:
        """Start a worker or a supervisor, which ends with the measure."""
        output = self._folder / f"recovery-{len(self.workers)}.log"
        environment = {**os.environ, URL_VARIABLE: self._url, NOTES_VARIABLE: str(self._notes)}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "jobqueue", "worker", APPLICATION, *options],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=file,
            )
        self._stack.callback(_end, process)
        self.workers.append(WorkerProcess(process, output))
        return self.workers[-1]

    def notes(self) -> list[Note]:
        """Give all starts so far."""
        return read_notes(self._notes)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for it. Raises MeasureError if it takes too long or a worker ends."""
        wait_until(condition, self.workers, what=what)

    def wait_for_workers(self, connection: Connection, count: int) -> None:
        """Wait until so many are in the books."""
        self.wait(
            lambda: single(connection, "SELECT count(*) FROM jobqueue.workers") == count,
            f"{count} workers",
        )


@contextmanager
def scene_on(url: str, folder: Path) -> Generator[Scene]:
    with ExitStack() as stack:
        yield Scene(url, folder, stack)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it: told twice, it waits for no job."""
    for _ in range(2):
        process.terminate()
        time.sleep(0.1)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _killed(bench: Bench, starts: list[list[str]]) -> float:
    """Kill the one of two worker processes that runs a job; give the seconds to its next start."""
    with (
        bench.server.fresh("recovery") as url,
        psycopg.connect(url, autocommit=True) as connection,
        scene_on(url, bench.folder) as scene,
    ):
        for options in starts:
            scene.start(*options)
        scene.wait_for_workers(connection, 2)
        nap.enqueue(connection, number=0, seconds=LONG_JOB_SECONDS)
        scene.wait(lambda: len(scene.notes()) == 1, "first start")
        [first] = scene.notes()
        # A dead one of those we started ourselves ends the waiting.
        scene.workers = [one for one in scene.workers if one.pid != first.pid]
        killed_at = time.monotonic_ns()
        os.kill(first.pid, signal.SIGKILL)
        scene.wait(lambda: len(scene.notes()) > 1, "second start")
        return (scene.notes()[1].at_ns - killed_at) / 1e9


def _restarted(bench: Bench, how: signal.Signals) -> float:
    """Restart a server of our own under an idle worker; give the seconds to a job's start.

    They run from the first connection that the server accepts, through which the job is enqueued.
    how: the signal by which a server is told in which way to shut down.
    """
    folder = bench.folder / "restarted"
    url = _start_server(folder).stdout.strip()
    migrations.upgrade(url)
    try:
        with scene_on(url, bench.folder) as scene:
            with psycopg.connect(url, autocommit=True) as connection:
                scene.start("--lease", LONG_LEASE)
                scene.wait_for_workers(connection, 1)
                nap.enqueue(connection, number=0, seconds=0)
            scene.wait(lambda: len(scene.notes()) == 1, "job before the restart")
            os.kill(int((folder / "postmaster.pid").read_text().splitlines()[0]), how)
            scene.wait(lambda: not embedded.running(folder), "end of the server")
            with _starting(folder), _first_connection(url, scene) as connection:
                accepted_at = time.monotonic_ns()
                nap.enqueue(connection, number=1, seconds=0)
            scene.wait(lambda: len(scene.notes()) > 1, "job after the restart")
            return (scene.notes()[1].at_ns - accepted_at) / 1e9
    finally:
        embedded.stop(folder)


def _dev_start(folder: Path) -> list[str]:
    return [sys.executable, "-m", "jobqueue", "dev", "start", "--folder", str(folder)]


def _start_server(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_dev_start(folder), check=True, text=True, stdout=subprocess.PIPE)


@contextmanager
def _starting(folder: Path) -> Generator[None]:
    """Have the server started meanwhile."""
    with subprocess.Popen(_dev_start(folder), stdout=subprocess.DEVNULL):
        yield


@contextmanager
def _first_connection(url: str, scene: Scene) -> Generator[Connection]:
    """Connect as soon as the server accepts a connection."""
    found: list[Connection] = []

    def accepted() -> bool:
        try:
            found.append(psycopg.connect(url, autocommit=True))
        except psycopg.OperationalError:
            return False
        return True

    scene.wait(accepted, "first connection")
    with found[0] as connection:
        yield connection


def _until_caught(bench: Bench) -> float:
    """Measure `_stopped` until it gives something."""
    for _ in range(TRIES):
        if (seconds := _stopped(bench)) is not None:
            return seconds
    raise MeasureError(f"stopped worker: {TRIES} times it had nothing in hand; measure again")


def _stopped(bench: Bench) -> float | None:
    """Stop a worker with unstarted jobs in hand; give the seconds until another has begun them all.

    It was led to claim them by quick jobs, which it claims ahead of its slots, and which long ones
    follow. The other has slots enough, and is frozen until the first one is stopped.
    None: it had handed them back before, as it does after a tenth of a second.
    """
    with (
        bench.server.fresh("recovery") as url,
        psycopg.connect(url, autocommit=True) as connection,
        scene_on(url, bench.folder) as scene,
    ):
        leaver = scene.start("--lease", LONG_LEASE, "--queue", f"default={SLOTS}")
        heir = scene.start("--lease", LONG_LEASE, "--queue", f"default={LONG_JOBS}")
        scene.wait_for_workers(connection, 2)
        os.kill(heir.pid, signal.SIGSTOP)
        items = [
            {"number": number, "seconds": 0 if number < QUICK_JOBS else LONG_JOB_SECONDS}
            for number in range(QUICK_JOBS + LONG_JOBS)
        ]
        with connection.transaction():
            nap.enqueue_many(connection, items)
        scene.wait(
            lambda: any(note.number >= QUICK_JOBS for note in scene.notes()), "start of long jobs"
        )
        claimed = connection.execute(
            """
            SELECT (args ->> 'number')::integer
            FROM jobqueue.jobs JOIN jobqueue.workers ON workers.id = jobs.worker_id
            WHERE jobs.state = 'running' AND workers.pid = %s
            """,
            [leaver.pid],
        ).fetchall()
        told_at = time.monotonic_ns()
        os.kill(leaver.pid, signal.SIGTERM)
        os.kill(heir.pid, signal.SIGCONT)
        in_hand = {row[0] for row in claimed} - {note.number for note in scene.notes()}
        if not in_hand:
            return None
        scene.wait(
            lambda: in_hand <= {note.number for note in scene.notes()}, "starts of what was in hand"
        )
        return (max(note.at_ns for note in scene.notes() if note.number in in_hand) - told_at) / 1e9
