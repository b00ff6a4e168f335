"""`jobqueue enqueue`: one job, from a shell."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.cli.shell import Shell, one_line
from tests.conftest import emptied
from tests.worker.books import Books


def test_a_job_is_enqueued_with_arguments_and_the_defaults_nobody_noted(
    shell: Shell, books: Books
) -> None:
    done = shell.run("enqueue", "greet", '{"name": "Ada", "times": 2}')
    assert (done.returncode, done.stderr) == (0, "")
    outcome, job_id = done.stdout.split()
    books.enter_task("greet")
    record = books.job(UUID(job_id))
    assert outcome == "inserted"
    assert (record.task, record.args) == ("greet", {"name": "Ada", "times": 2})
    assert (record.state, record.queue) == ("available", "default")
    assert (record.priority, record.max_attempts) == (5, 5)


def test_without_the_application_the_defaults_are_those_its_worker_noted(
    shell: Shell, books: Books
) -> None:
    books.rows("INSERT INTO jobqueue.tasks VALUES ('send_mail', 'email', 1, 7)")
    job = shell.json("enqueue", "send_mail", '{"address": "ada@example.org"}')
    record = books.job(UUID(job["id"]))
    assert (record.queue, record.priority, record.max_attempts) == ("email", 1, 7)


def test_with_the_application_its_tasks_say_how_and_check_the_arguments(
    shell: Shell, books: Books
) -> None:
    app = ["--app", "shop:jobs"]
    good = shell.quick("enqueue", "send_mail", '{"address": "ada"}', *app)
    assert good.returncode == 0
    [(queue, priority, attempts)] = books.rows(
        "SELECT queue, priority, max_attempts FROM jobqueue.jobs"
    )
    assert (queue, priority, attempts) == ("email", 1, 1)
    for refused, said in [
        (["greet", '{"name": "Ada", "times": "x"}'], "task 'greet': argument 'times'"),
        (["greet"], "task 'greet': argument 'name': missing"),
        (["greet", '{"name": "Ada", "tiems": 2}'], "argument 'tiems'"),
        (["grete"], "task 'grete': not registered in shop:jobs; use one of greet, send_mail"),
    ]:
        done = shell.quick("enqueue", *refused, *app)
        assert done.returncode == 2
        assert said in one_line(done)
    assert books.unfinished() == 1


def test_a_delay_and_a_moment_are_kept(shell: Shell, books: Books) -> None:
    later = shell.json("enqueue", "greet", "--delay", "5m")
    record = books.job(UUID(later["id"]))
    assert record.state == "scheduled"
    assert record.run_at - record.enqueued_at == timedelta(minutes=5)

    at = shell.json("enqueue", "greet", "--run-at", "2130-01-31T08:00:00+01:00")
    assert books.job(UUID(at["id"])).run_at.isoformat().startswith("2130-01-31T")
    assert books.value("SELECT max(run_at) = '2130-01-31 07:00+00' FROM jobqueue.jobs")


def test_the_same_id_twice_is_one_job(shell: Shell, books: Books) -> None:
    job_id = "0197a000-0000-7000-8000-000000000001"
    first = shell.quick("enqueue", "greet", "--id", job_id)
    second = shell.quick("enqueue", "greet", "--id", job_id)
    assert first.stdout == f"inserted {job_id}\n"
    assert second.stdout == f"met {job_id}\n"
    assert second.returncode == 0
    assert books.unfinished() == 1


def test_every_option_reaches_the_job(shell: Shell, books: Books) -> None:
    options = ["--queue", "slow", "--priority", "low", "--attempts", "9"]
    job = shell.json("enqueue", "greet", *options)
    record = books.job(UUID(job["id"]))
    assert (record.queue, record.priority, record.max_attempts) == ("slow", 10, 9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (['{"name": }'], "not JSON"),
        (["[1, 2]"], "not a JSON object"),
        (["nonsense"], "not JSON"),
        (['{"name": "a NUL \\u0000"}'], "NUL"),
        (["{}", "--delay", "soon"], "not a duration"),
        (["{}", "--delay", "-5"], "not a duration"),
        (["{}", "--run-at", "tomorrow"], "not a moment"),
        (["{}", "--run-at", "2030-01-31T08:00:00"], "has no time zone"),
        (["{}", "--delay", "5m", "--run-at", "2030-01-31T08:00:00Z"], "both given"),
        (["{}", "--id", "42"], "not a job's id"),
        (["{}", "--priority", "urgent"], "not a level"),
        (["{}", "--priority", "99999"], "99999"),
        (["{}", "--attempts", "0"], "attempts 0"),
        (["{}", "--queue", ""], "queue ''"),
        (["{}", "--queue", "q" * 64], "not a name"),
    ],
)
def test_what_cannot_be_enqueued_is_wrong_usage_and_says_why(
    tmp_path: Path, shared_database_url: str, arguments: list[str], said: str
) -> None:
    shell = Shell(tmp_path, emptied(shared_database_url))
    done = shell.quick("enqueue", "greet", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert shell.json("jobs", "list") == []
