"""`jobqueue jobs`: list, show, cancel, retry."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from tests.cli.shell import Shell
from tests.worker.books import Books


def enqueue(books: Books, task: str, *, queue: str = "default", delay: str = "0") -> UUID:
    return books.value(
        "SELECT job_id FROM jobqueue.enqueue_v1(%s, %s, queue => %s, delay => %s::interval)",
        [task, '{"name": "Ada"}', queue, delay],
    )


def test_an_empty_list_says_so(shell: Shell) -> None:
    assert shell.run("jobs", "list").stdout == "no jobs\n"
    assert shell.json("jobs", "list") == []


def test_jobs_of_every_state_are_listed_and_filtered(shell: Shell, books: Books) -> None:
    waiting = enqueue(books, "greet")
    later = enqueue(books, "greet", queue="slow", delay="1 hour")
    dead = books.bury("send_mail", queue="email")

    lines = shell.quick("jobs", "list").stdout.splitlines()
    assert lines[0].split()[:5] == ["id", "task", "queue", "state", "attempt"]
    assert [line.split()[:4] for line in lines[1:]] == [
        [str(dead), "send_mail", "email", "dead"],
        [str(later), "greet", "slow", "scheduled"],
        [str(waiting), "greet", "default", "available"],
    ]
    assert "ValueError: it [broke] badly" in lines[1]

    def listed(*filters: str) -> list[str]:
        return [job["id"] for job in shell.json("jobs", "list", *filters)]

    assert listed("--state", "scheduled") == [str(later)]
    assert listed("--task", "greet", "--limit", "1") == [str(later)]
    assert listed("--queue", "email") == [str(dead)]
    assert shell.quick("jobs", "list", "--state", "lost").returncode == 2


def test_one_job_is_shown_with_everything_known_of_it(shell: Shell, books: Books) -> None:
    dead = books.bury("send_mail", queue="email", args='{"address": "ada@example.org"}')
    books.enter_task("send_mail")
    shown = shell.quick("jobs", "show", str(dead)).stdout
    for part in (
        str(dead),
        "send_mail",
        '{"address":"ada@example.org"}',
        "1 of 1",
        "attempt 1 failed",
        "ValueError: it [broke] badly",
        "the line that broke",
    ):
        assert part in shown
    record = shell.json("jobs", "show", str(dead))
    assert (record["state"], record["args"]) == ("dead", {"address": "ada@example.org"})
    assert record["errors"][0]["message"] == "it [broke] badly"


def test_the_arguments_of_a_task_no_worker_has_are_hidden(shell: Shell, books: Books) -> None:
    dead = str(books.bury("send_mail", args='{"address": "ada@example.org"}'))
    for command in ("jobs", "dead"):
        assert '{"address":"[redacted]"}' in shell.quick(command, "show", dead).stdout
        assert "ada" not in shell.quick(command, "list", "--json").stdout


def test_a_waiting_job_is_cancelled_and_a_running_one_is_asked(shell: Shell, books: Books) -> None:
    waiting, running = enqueue(books, "greet"), enqueue(books, "greet")
    books.rows("UPDATE jobqueue.jobs SET state = 'running', worker_id = 1 WHERE id = %s", [running])

    done = shell.quick("jobs", "cancel", str(waiting))
    assert (done.returncode, books.state(waiting)) == (0, "cancelled")
    assert "cancelled" in done.stdout
    again = shell.quick("jobs", "cancel", str(waiting))
    assert again.returncode == 1
    assert "ended" in again.stdout

    asked = shell.quick("jobs", "cancel", str(running), "--json")
    assert json.loads(asked.stdout) == {"id": str(running), "answer": "asked"}
    assert (asked.returncode, books.state(running)) == (0, "running")
    assert "its worker stops it" in shell.quick("jobs", "cancel", str(running)).stdout
    assert "asked for at 20" in shell.quick("jobs", "show", str(running)).stdout


def test_a_running_job_shows_how_far_it_is_and_how_long_it_may_take(
    shell: Shell, books: Books
) -> None:
    shell.quick("enqueue", "greet", "--timeout", "90s")
    [(running,)] = books.rows(
        "UPDATE jobqueue.jobs SET state = 'running', worker_id = 1, progress = 0.4, "
        "progress_message = 'page 12 of 30' RETURNING id"
    )
    shown = shell.quick("jobs", "show", str(running)).stdout
    assert "40% page 12 of 30" in shown
    assert "90 s" in shown
    record = shell.json("jobs", "show", str(running))
    assert (record["timeout_seconds"], record["progress_message"]) == (90, "page 12 of 30")


def ended(books: Books, state: str, result: str | None = None) -> UUID:
    return books.value(
        "INSERT INTO jobqueue.job_history (id, run_at, enqueued_at, finished_at, priority, "
        "attempt, max_attempts, state, queue, task, args, result) "
        "VALUES (jobqueue.uuid_v7(), now(), now(), "
        "now() - interval '1 minute', 5, 1, 5, %s, 'default', 'greet', '{}', %s) RETURNING id",
        [state, result],
    )


def test_a_result_is_printed_as_json_and_what_gives_none_says_why(
    shell: Shell, books: Books
) -> None:
    done = ended(books, "completed", '{"sum": [1, 2]}')
    assert json.loads(shell.quick("jobs", "result", str(done)).stdout) == {"sum": [1, 2]}
    assert '{"sum":[1,2]}' in shell.quick("jobs", "show", str(done)).stdout
    dead = books.bury("send_mail")
    for job, said in (
        (enqueue(books, "greet"), "available after 0 s of waiting"),
        (ended(books, "completed"), "no result is kept of task 'greet'"),
        (ended(books, "cancelled"), "cancelled"),
        (dead, "ValueError: it [broke] badly"),
        (uuid4(), "unknown"),
    ):
        refused = shell.quick("jobs", "result", str(job))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert said in refused.stderr
    late = shell.quick("jobs", "result", str(enqueue(books, "greet")), "--wait", "50ms")
    assert "available after 0.05 s of waiting" in late.stderr


def test_a_job_runs_now_instead_of_later_and_a_dead_one_again(shell: Shell, books: Books) -> None:
    later = enqueue(books, "greet", delay="1 hour")
    dead = books.bury("send_mail")
    assert shell.json("jobs", "retry", str(later)) == {"id": str(later), "answer": "available"}
    assert shell.json("jobs", "retry", str(dead)) == {"id": str(dead), "answer": "redriven"}
    assert books.states() == {"available": 2}
    assert books.job(later).run_at <= books.value("SELECT clock_timestamp()")


def test_a_job_nobody_knows_is_said_to_be_unknown(shell: Shell) -> None:
    for command in ("show", "cancel", "retry"):
        done = shell.quick("jobs", command, str(uuid4()))
        assert done.returncode == 1
        assert "unknown" in done.stdout + done.stderr
    malformed = shell.quick("jobs", "show", "42")
    assert malformed.returncode == 2
    assert "not a job's id" in malformed.stderr
