"""What a job prints and logs arrives in the worker's log, with the job's task and id."""

from __future__ import annotations

import asyncio
import logging

import pytest

from jobqueue.store.claims import Claimed
from tests.waiting import auntil
from tests.worker.playing import play
from tests.worker.processes.playing import job, known_as_short, pid, pool
from tests.worker.processes.tasks.printing import FORGED


@pytest.fixture(autouse=True)
def everything_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Give logger, level and text of what was logged, that of the pool itself left out."""
    return [
        (record.name, record.levelname, record.getMessage())
        for record in caplog.records
        if record.getMessage().startswith("job ")
    ]


def run(given: Claimed) -> None:
    async def scenario() -> None:
        async with pool() as processes:
            assert (await processes.call(given)).kind == "completed"

    play(scenario())


@pytest.mark.parametrize(
    ("how", "logger", "level", "stream"),
    [
        ("print", "jobqueue.worker", "INFO", " stdout"),
        ("no end", "jobqueue.worker", "INFO", " stdout"),
        ("thread", "jobqueue.worker", "INFO", " stdout"),
        ("stderr", "jobqueue.worker", "WARNING", " stderr"),
        ("fd", "jobqueue.worker", "INFO", " output"),
        ("program", "jobqueue.worker", "INFO", " output"),
        ("log", "tests.application", "WARNING", ""),
    ],
)
def test_a_line_arrives_with_its_job(
    caplog: pytest.LogCaptureFixture, how: str, logger: str, level: str, stream: str
) -> None:
    given = job("says", text="héllo 🐘", how=how)
    run(given)
    assert said(caplog) == [(logger, level, f"job says {given.id}{stream}: héllo 🐘")]


def test_every_line_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    given = job("says", text="one\n\ntwo")
    run(given)
    whose = f"job says {given.id} stdout"
    assert [text for _, _, text in said(caplog)] == [
        f"{whose}: one",
        f"{whose}: ",
        f"{whose}: two",
    ]


def test_a_log_record_brings_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    given = job("says", text="the cause", how="trace")
    run(given)
    [(logger, level, text)] = said(caplog)
    assert (logger, level) == ("tests.application", "ERROR")
    assert text.startswith(f"job says {given.id}: it failed\nTraceback")
    assert text.endswith("ValueError: the cause")


def test_what_the_worker_would_not_log_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    run(job("says", text="too much", how="log.debug"))
    assert said(caplog) == []


def test_bytes_that_are_no_text_are_shown_as_such(caplog: pytest.LogCaptureFixture) -> None:
    given = job("says", text="after", how="bytes")
    run(given)
    assert sorted(text for _, _, text in said(caplog)) == [
        f"job says {given.id} output: \\xff\\xfe\x00after",
        f"job says {given.id} stdout: \\xff\\xfe\x00after",
    ]


@pytest.mark.parametrize("how", ["print", "no end", "fd", "log", "bytes"])
def test_a_line_without_end_is_cut(caplog: pytest.LogCaptureFixture, how: str) -> None:
    run(job("says", text="x" * 1_000_000, how=how))
    texts = [text for _, _, text in said(caplog)]
    assert all(len(text) < 11_000 for text in texts)
    assert all(text.endswith("characters)") for text in texts[:-1])
    if how == "log":
        assert len(texts) == 1


def test_a_long_record_arrives_whole(caplog: pytest.LogCaptureFixture) -> None:
    given = job("says", text="\x01é" * 4_900, how="log")
    run(given)
    assert [text for _, _, text in said(caplog)] == [f"job says {given.id}: " + "\x01é" * 4_900]


@pytest.mark.parametrize("how", ["print", "no end", "thread"])
def test_lines_of_many_short_jobs_are_each_their_own_jobs(
    caplog: pytest.LogCaptureFixture, how: str
) -> None:
    given = [job("says", text=f"number {n}", how=how) for n in range(300)]

    async def scenario() -> None:
        async with pool() as processes:
            await known_as_short(processes, "says", text="warm", how=how)
            caplog.clear()
            await asyncio.gather(*map(processes.call, given))

    play(scenario())
    assert [text for _, _, text in said(caplog)] == [
        f"job says {one.id} stdout: number {n}" for n, one in enumerate(given)
    ]


def test_a_job_may_print_more_than_a_pipe_holds(caplog: pytest.LogCaptureFixture) -> None:
    run(job("prints_much", lines=5_000))
    texts = [text.rpartition(": ")[2] for _, _, text in said(caplog)]
    expected = [*(f"line {n}" for n in range(5_000)), *["raw"] * 5_000]
    assert texts == expected, [len(texts), *{*texts} - {*expected}][:20]


@pytest.mark.parametrize(
    "how",
    ["close 1 and 2", "close sys.stdout", "replace sys.stdout", "forge", "no handlers"],
)
def test_whatever_a_job_does_to_its_output_it_and_the_next_job_complete(
    caplog: pytest.LogCaptureFixture, how: str
) -> None:
    given = job("says", text="the next one")

    async def scenario() -> None:
        async with pool() as processes:
            before = await pid(processes)
            caplog.clear()
            assert (await processes.call(job("harms_its_output", how=how))).kind == "completed"
            assert (await processes.call(given)).kind == "completed"
            assert await pid(processes) == before

    play(scenario())
    assert f"job says {given.id} stdout: the next one" in [text for _, _, text in said(caplog)]
    if how == "forge":
        shown = [text.partition(" output: ")[2] for _, _, text in said(caplog)]
        assert [text for text in shown if text] == FORGED.decode().split("\n")[:-1]


def test_a_signal_handler_may_print_in_the_middle_of_printing() -> None:
    run(job("chatty_alarms", lines=2_000))


def test_what_prints_after_its_job_is_said_to_be_the_processes(
    caplog: pytest.LogCaptureFixture, tmp_path: object
) -> None:
    """Such as what the application prints when it is loaded."""

    async def scenario() -> None:
        async with pool(imports=["tests.worker.processes.loud"]) as processes:
            running = await pid(processes)
            wanted = f"process {running} stdout: loaded loudly"
            await auntil(lambda: wanted in caplog.text, what=wanted)

    play(scenario())
