"""A worker that dies takes its children with it, whatever they are doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import until
from tests.worker.processes.playing import alive, lines

WORKER = """
import asyncio, os, sys
from tests.worker.processes.playing import job, pid, pool

async def main(task, path, forks):
    async with pool(interrupt_seconds=0.5) as processes:
        print(await pid(processes), flush=True)
        if forks and os.fork() == 0:
            import time
            time.sleep(600)
        if task != "idle":
            await processes.call(job(task, path=path))
        await asyncio.sleep(600)

asyncio.run(main(sys.argv[1], sys.argv[2], len(sys.argv) > 3))
"""


@contextmanager
def worker(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a pool in a process of its own; give that, and the number of its child."""
    running = subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    try:
        yield running, int(running.stdout.readline())
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.mark.parametrize("task", ["idle", "polite", "async_polite", "stubborn"])
def test_children_end_when_their_worker_is_killed(tmp_path: Path, task: str) -> None:
    path = tmp_path / "notes"
    with worker(task, str(path)) as (running, child):
        if task != "idle":
            until(lambda: "begun" in lines(path), what="the job runs")
        assert alive(child)
        running.kill()
        until(lambda: not alive(child), what="the child has ended")
    if task != "idle":
        told = {"polite": "Interruption", "stubborn": "Interruption"}
        assert lines(path) == ["begun", told.get(task, "CancelledError")]


def test_children_end_too_when_a_process_that_the_worker_forked_outlives_it(
    tmp_path: Path,
) -> None:
    with worker("idle", "", "forks") as (running, child):
        running.kill()
        until(lambda: not alive(child), what="the child has ended")


def test_a_signal_to_the_workers_group_is_none_to_its_children(tmp_path: Path) -> None:
    """As Ctrl-C in a terminal is: the worker alone decides what becomes of its jobs."""
    path = tmp_path / "notes"
    with worker("polite", str(path)) as (running, child):
        until(lambda: "begun" in lines(path), what="the job runs")
        assert os.getpgid(child) != os.getpgid(running.pid)
        assert os.getsid(child) != os.getsid(running.pid)
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGINT)
        assert alive(child)
        assert lines(path) == ["begun"]
