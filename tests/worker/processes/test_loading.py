"""An application that cannot be loaded in a child process is said once, and tried again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from jobqueue.worker.processes import pool as pool_module
from jobqueue.worker.processes.child_process import ChildProcess
from tests.worker.playing import play
from tests.worker.processes.playing import job, pool, result

GOOD = """
from jobqueue import JobQueue
jobs = JobQueue()
@jobs.task
def pid() -> int:
    return 1
"""

BROKEN = {
    "import nothing_of_that_name": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
    "raise SystemExit('it leaves')": "SystemExit: it leaves",
    "import os; os._exit(9)": "it exited with code 9",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "it was killed by SIGSEGV",
    "jobs = 1": "is a int, not a JobQueue",
    "import time; time.sleep(3600)": "not ready after 2 s",
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(pool_module, "FIRST_PAUSE_SECONDS", 0.05)
    return tmp_path / "sick_application.py"


@pytest.mark.parametrize(("source", "words"), BROKEN.items())
def test_what_is_wrong_is_said_once_and_jobs_are_handed_back_unharmed(
    caplog: pytest.LogCaptureFixture, module: Path, source: str, words: str
) -> None:
    module.write_text(source)

    async def scenario() -> None:
        async with pool(application="sick_application:jobs", start_seconds=2.0) as processes:
            for _ in range(2):
                outcome = await processes.call(job("pid"))
                assert (outcome.kind, outcome.refund) == ("handed_back", True)
                assert outcome.delay_seconds > 0

    play(scenario())
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    [said] = [error for error in errors if error.startswith("processes: ")]
    assert "sick_application:jobs cannot be loaded in a child process" in said
    assert words in said


def test_it_is_tried_again_less_and_less_often_and_works_once_it_is_mended(
    caplog: pytest.LogCaptureFixture, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    module.write_text("import nothing_of_that_name")
    starts = 0
    start = ChildProcess.start

    async def counted(child: ChildProcess) -> None:
        nonlocal starts
        starts += 1
        await start(child)

    monkeypatch.setattr(ChildProcess, "start", counted)

    async def scenario() -> None:
        async with pool(application="sick_application:jobs", size=2) as processes:
            delays = []
            for _ in range(3):
                outcomes = await asyncio.gather(*(processes.call(job("pid")) for _ in range(20)))
                delays.append(max(outcome.delay_seconds for outcome in outcomes))
            assert delays == sorted(set(delays)), "each pause is longer than the one before"
            assert starts <= 6, "no start without a pause before it"
            module.write_text(GOOD)  # noqa: ASYNC240 - a few bytes
            assert await result(processes, job("pid")) == 1
            assert "can be loaded again" in caplog.text

    play(scenario())


def test_an_interpreter_that_is_gone_is_a_start_that_failed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def scenario() -> None:
        async with pool() as processes:
            assert (await processes.call(job("pid"))).kind == "handed_back"

    play(scenario())
    assert "could not be started" in caplog.text
    assert "/nowhere/python" in caplog.text


def test_modules_to_import_besides_are_imported() -> None:
    async def scenario() -> None:
        async with pool(imports=["tests.worker.processes.more_tasks"]) as processes:
            assert await result(processes, job("one_more")) == "from another module"

    play(scenario())


def test_the_database_url_is_not_on_the_command_line() -> None:
    async def scenario() -> None:
        url = "postgresql://user:very-secret@nowhere.invalid/none"
        async with pool(database_url=url) as processes:
            [running, _] = await result(processes, job("pid"))
            command = Path(f"/proc/{running}/cmdline").read_bytes()  # noqa: ASYNC240 - no disk
            assert b"jobqueue.worker.processes.child" in command
            assert b"very-secret" not in command

    play(scenario())


def test_a_child_of_another_release_than_its_worker_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a deployment that has replaced the package under a running worker."""
    monkeypatch.setattr(pool_module, "__version__", "0.0.1")

    async def scenario() -> None:
        async with pool() as processes:
            assert (await processes.call(job("nothing"))).kind == "handed_back"

    play(scenario())
    assert "its worker runs 0.0.1; start the worker anew" in caplog.text
