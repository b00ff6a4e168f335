"""The log of a worker as a program reads it, and as a person does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.shell import Shell, finish
from tests.waiting import until
from tests.worker.books import Books

APPLICATION = """
import logging
import sys
from typing import Annotated

import structlog

from jobqueue import JobQueue, Retry, Secret

jobs = JobQueue()
log = logging.getLogger("shop")
events = structlog.get_logger("shop.events")


def both(n: int) -> None:
    log.info("plain %d", n, extra={"customer": 7, "password": "hush"})
    events.info("structured", n=n, api_key="hush", nested={"token": "hush"})


@jobs.task
async def in_loop(n: int) -> None:
    both(n)


@jobs.task
def in_thread(n: int) -> None:
    both(n)


@jobs.task(pool="process")
def in_process(n: int) -> None:
    both(n)
    print("printed")


@jobs.task(retry=Retry(attempts=1))
def fails(token: Annotated[str, Secret], note: str) -> None:
    log.info("working with %s", token)
    raise ValueError(f"refused: {token}")


def break_all(name, value):
    raise KeyError(name)
"""
SECRET = "the-secret-itself"


@pytest.fixture
def shop(shell: Shell) -> Shell:
    (shell.folder / "shop.py").write_text(APPLICATION)
    return shell


def logged(shop: Shell, books: Books, *options: str) -> str:
    """Run a worker until nothing is left, and give what it logged."""
    process = shop.start("worker", "shop:jobs", *options)
    try:
        until(lambda: books.unfinished() == 0, what="every job has ended")
    finally:
        process.terminate()
        done = finish(process)
    assert done.returncode == 0, done.stderr
    return done.stderr


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def enqueue(books: Books, task: str, args: dict[str, Any]) -> str:
    return str(
        books.value(
            "SELECT job_id FROM jobqueue.enqueue_v1(%s, %s, max_attempts => %s)",
            [task, json.dumps(args), 1 if task == "fails" else 5],
        )
    )


@pytest.mark.parametrize("task", ["in_loop", "in_thread", "in_process"])
def test_lines_of_user_code_carry_their_job_wherever_it_runs(
    shop: Shell, books: Books, task: str
) -> None:
    job_id = enqueue(books, task, {"n": 3})
    found = events(logged(shop, books))
    of_job = {"job_id": job_id, "task": task, "queue": "default", "attempt": 1}
    said = {one["event"]: one for one in found if of_job.items() <= one.items()}
    plain, structured = said["plain 3"], said["structured"]
    assert (plain["logger"], plain["customer"], plain["password"]) == ("shop", 7, "[redacted]")
    assert (structured["logger"], structured["n"]) == ("shop.events", 3)
    assert structured["api_key"] == "[redacted]"
    assert structured["nested"] == {"token": "[redacted]"}
    assert task != "in_process" or said["printed"]["stream"] == "stdout"
    [attempt] = [one for one in found if one.get("outcome")]
    assert of_job.items() <= attempt.items()
    assert (attempt["outcome"], attempt["max_attempts"]) == ("completed", 5)
    assert 0 <= attempt["duration_seconds"] < 10


def test_a_failed_attempt_has_its_traceback_and_arguments_without_secrets(
    shop: Shell, books: Books
) -> None:
    enqueue(books, "fails", {"token": SECRET, "note": "x"})
    text = logged(shop, books)
    assert SECRET not in text
    found = events(text)
    [attempt] = [one for one in found if one.get("outcome")]
    assert (attempt["outcome"], attempt["level"]) == ("dead", "error")
    assert (attempt["error"], attempt["error_message"]) == ("ValueError", "refused: [redacted]")
    assert attempt["args"] == {"token": "[redacted]", "note": "x"}
    assert "in fails" in attempt["traceback"]
    assert any(one["event"] == "working with [redacted]" for one in found)


def test_names_are_hidden_when_asked_and_a_rule_that_raises_loses_no_line(
    shop: Shell, books: Books
) -> None:
    enqueue(books, "in_loop", {"n": 3})
    [plain] = [one for one in events(logged(shop, books, "--redact", "cust*")) if "password" in one]
    assert plain["customer"] == "[redacted]"
    enqueue(books, "in_loop", {"n": 3})
    found = events(logged(shop, books, "--redact-with", "shop:break_all"))
    [plain] = [one for one in found if "password" in one]
    assert (plain["event"], plain["redaction_error"]) == ("[redacted]", "KeyError")
    assert plain["task"] == "in_loop"
    wrong = shop.run("worker", "shop:jobs", "--redact-with", "shop:nothing")
    assert wrong.returncode == 2
    assert "module 'shop' has no 'nothing'" in wrong.stderr


@pytest.mark.parametrize(
    ("share", "least", "most"), [("failed", 0, 0), ("all", 100, 100), ("50%", 15, 85)]
)
def test_lines_of_attempts_that_complete_can_be_left_out(
    shop: Shell, books: Books, share: str, least: int, most: int
) -> None:
    for n in range(100):
        enqueue(books, "in_loop", {"n": n})
    enqueue(books, "fails", {"token": SECRET, "note": "x"})
    found = events(logged(shop, books, "--log-jobs", share))
    completed = [one for one in found if one.get("outcome") == "completed"]
    assert least <= len(completed) <= most
    assert all(("sampled" in one) == (share == "50%") for one in completed)
    assert [one["task"] for one in found if one.get("outcome") == "dead"] == ["fails"]


def test_what_is_no_share_is_refused(shop: Shell) -> None:
    for text in ("some", "101%", "-1%", "10"):
        done = shop.quick("worker", "shop:jobs", "--log-jobs", text)
        assert done.returncode == 2
        assert "write all, failed, or a number as in 10%" in " ".join(done.stderr.split())


def test_text_is_for_people(shop: Shell, books: Books) -> None:
    job_id = enqueue(books, "in_loop", {"n": 3})
    enqueue(books, "fails", {"token": SECRET, "note": "x"})
    lines = logged(shop, books, "--log-format", "text").splitlines()
    [plain] = [line for line in lines if "plain 3" in line]
    assert f"INFO plain 3 job_id={job_id} task=in_loop queue=default attempt=1" in plain
    assert "password=[redacted]" in plain
    [completed] = [line for line in lines if "completed after" in line]
    assert completed.endswith(" s")
    assert "    ValueError: refused: [redacted]" in lines
