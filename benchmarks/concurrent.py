"""Enqueueing by many at once: what it takes away from an application's own transactions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psycopg

from benchmarks.database import single
from benchmarks.draining import Drain
from benchmarks.enqueue import LIKE_TABLE
from benchmarks.enqueuers import CONNECTIONS, ORDER
from benchmarks.latency import wait_until_asleep
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import ROOT, MeasureError, command
from benchmarks.workload import SLOW_SECONDS, note_run, note_run_slowly

ORDERS_TABLE = """
    CREATE TABLE orders (
        id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer  text NOT NULL,
        cents     integer NOT NULL,
        placed_at timestamptz NOT NULL DEFAULT now()
    )
"""
# The two ways take turns, and each is the first of a pair as often as the second.
PAIRS = 6
BLOCK_SECONDS = 0.4
# Enough for a worker to be busy with to the end: about 3,000 a second.
SLOW_JOBS = 60_000
MOST_JOBS = 200_000


class Enqueuers:
    """The process whose clients commit."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, way: str) -> tuple[int, float]:
        """Have them commit for one block; give how many commits, and the seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{way} {BLOCK_SECONDS}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if not answer:
            raise MeasureError("enqueuers: ended in the middle; see above what they said")
        return int(answer[0]), float(answer[1])


def concurrent(options: Options) -> Group:
    """Alone, beside a worker that is busy with other jobs, and with a worker that runs the jobs."""
    del options

    def measure(bench: Bench) -> Samples:
        return {
            **_alone(bench),
            **_beside_busy_worker(bench),
            **_drained_along(bench),
        }

    def rates(name: str, what: str, target: float | None) -> list[Metric]:
        return [
            Metric(f"enqueue.{name}.rate", "tx/s", f"{what}: with an enqueue"),
            Metric(f"enqueue.{name}.plain_rate", "tx/s", f"{what}: with a plain INSERT"),
            Metric(f"enqueue.{name}.ratio", "x", f"{what}: the one / the other", target),
        ]

    return Group(
        "enqueue by many at once",
        (
            *rates("concurrent", "no worker", 0.9),
            *rates("concurrent.busy", "busy worker", 0.9),
            *rates("concurrent.drained", "run along", None),
        ),
        {
            "connections": CONNECTIONS,
            "transaction": ORDER.decode(),
            "blocks": 2 * PAIRS,
            "block_seconds": BLOCK_SECONDS,
            "busy_worker_job_seconds": SLOW_SECONDS,
            "worker": f"python {' '.join(command())}",
        },
        measure,
    )


def _alone(bench: Bench) -> Samples:
    with _prepared(bench) as url, _enqueuers(url) as enqueuers:
        samples, _ = _take_turns("enqueue.concurrent", enqueuers, lambda: None)
    return samples


def _beside_busy_worker(bench: Bench) -> Samples:
    """Have a worker that runs as many other jobs in the blocks of either way."""
    with (
        _prepared(bench) as url,
        Drain.on(url, note_run_slowly, bench.folder) as drain,
    ):
        drain.enqueue(SLOW_JOBS)
        with drain.workers(url, most_runs=SLOW_JOBS), _enqueuers(url) as enqueuers:
            drain.wait(lambda: drain.started() > 0, "busy worker")
            samples, _ = _take_turns("enqueue.concurrent.busy", enqueuers, lambda: None)
            if drain.started() >= drain.jobs:
                raise MeasureError("busy worker: it ran out of jobs; give it more")
    return samples


def _drained_along(bench: Bench) -> Samples:
    """Have a worker that runs what is enqueued, and sleeps while plain rows are inserted."""
    with (
        _prepared(bench) as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=MOST_JOBS),
        _enqueuers(url) as enqueuers,
    ):
        samples, enqueued = _take_turns(
            "enqueue.concurrent.drained", enqueuers, lambda: wait_until_asleep(drain)
        )
        wait_until_asleep(drain)
        completed = single(drain.connection, "SELECT count(*) FROM jobqueue.job_history")
        if not enqueued == completed == drain.started():
            raise MeasureError(
                f"run along: {enqueued} enqueued, {drain.started()} runs, {completed} completed; "
                "the three should be equal"
            )
    return samples


def _take_turns(name: str, enqueuers: Enqueuers, calm: Callable[[], None]) -> tuple[Samples, int]:
    """Give the rates and their ratio, and how many jobs were enqueued. calm: before each block."""
    commits = {"enqueue": 0, "plain": 0}
    seconds = {"enqueue": 0.0, "plain": 0.0}
    for pair in range(PAIRS):
        for way in sorted(commits, reverse=pair % 2 == 1):
            calm()
            block = enqueuers.run(way)
            commits[way] += block[0]
            seconds[way] += block[1]
    rates = {way: commits[way] / seconds[way] for way in commits}
    return {
        f"{name}.rate": rates["enqueue"],
        f"{name}.plain_rate": rates["plain"],
        f"{name}.ratio": rates["enqueue"] / rates["plain"],
    }, commits["enqueue"]


@contextmanager
def _prepared(bench: Bench) -> Generator[str]:
    with bench.server.fresh("concurrent") as url:
        with psycopg.connect(url) as connection:
            connection.execute(LIKE_TABLE)
            connection.execute(ORDERS_TABLE)
        yield url


@contextmanager
def _enqueuers(url: str) -> Generator[Enqueuers]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.enqueuers", url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Enqueuers(process)
