"""`jobqueue pause`, `resume`, `paused`, `queues`, and what other commands show of them."""

from __future__ import annotations

from tests.cli.shell import Shell
from tests.worker.books import Books


def test_a_queue_is_paused_and_resumed(shell: Shell, books: Books) -> None:
    done = shell.quick("pause", "--queue", "email", "--reason", "server [down]")
    assert (done.returncode, "queue 'email': paused" in done.stdout) == (0, True)
    assert "was paused already" in shell.quick("pause", "--queue", "email").stdout
    assert "server [down]" in shell.quick("paused").stdout
    [record] = shell.json("paused")
    assert (record["kind"], record["name"]) == ("queue", "email")
    assert "paused" in shell.quick("stats").stdout
    shell.quick("enqueue", "send_mail", '{"address": "a"}', "--queue", "email")
    job = books.value("SELECT id FROM jobqueue.jobs")
    shown = shell.json("jobs", "show", str(job))
    assert shown["why"][0]["code"] == "queue_paused"
    text = shell.quick("jobs", "show", str(job)).stdout
    assert "is paused since" in text
    assert shell.quick("resume", "--queue", "email").returncode == 0
    again = shell.quick("resume", "--queue", "email")
    assert (again.returncode, "is not paused" in again.stderr) == (1, True)
    assert "nothing is paused" in shell.quick("paused").stdout


def test_a_pause_needs_one_name(shell: Shell) -> None:
    for words in ([], ["--queue", "a", "--task", "b"]):
        for command in ("pause", "resume"):
            refused = shell.quick(command, *words)
            assert refused.returncode == 2
            assert "one of them" in refused.stderr
    assert "not a name" in shell.quick("pause", "--queue", "").stderr
    assert "together" in shell.quick("pause", "--limit", "imports").stderr


def test_a_key_of_a_limit_is_paused_and_resumed(shell: Shell) -> None:
    done = shell.quick("pause", "--limit", "imports", "--key", "acme [x]", "--reason", "files")
    assert (done.returncode, "key 'acme [x]' of limit 'imports': paused" in done.stdout) == (
        0,
        True,
    )
    listed = shell.quick("paused").stdout
    assert "imports" in listed
    assert "acme [x]" in listed
    [record] = shell.json("paused")
    assert (record["kind"], record["name"], record["key"]) == ("key", "imports", "acme [x]")
    assert shell.quick("resume", "--limit", "imports", "--key", "acme [x]").returncode == 0
    assert shell.json("paused") == []


def test_a_queue_is_limited_over_all_workers(shell: Shell, books: Books) -> None:
    shell.quick("queues", "set", "email", "--concurrency", "4")
    assert books.rows("SELECT name, concurrency FROM jobqueue.queues") == [("email", 4)]
    assert shell.json("queues", "list")[0]["concurrency"] == 4
    shell.quick("queues", "set", "email", "--clear", "concurrency")
    assert books.rows("SELECT name, concurrency FROM jobqueue.queues") == [("email", None)]


def test_bounds_are_kept_when_they_are_set_one_by_one(shell: Shell) -> None:
    shell.quick("queues", "set", "email", "--min-workers", "5")
    refused = shell.quick("queues", "set", "email", "--max-workers", "4")
    assert refused.returncode == 2
    assert "max_workers is below min_workers" in " ".join(refused.stderr.split())


def test_what_is_decided_for_a_queue_is_set_listed_and_cleared(shell: Shell) -> None:
    assert (
        shell.quick(
            "queues", "set", "email", "--history-days", "30", "--attempts", "9",
            "--target-backlog", "100", "--min-workers", "1", "--max-workers", "4",
        ).returncode
        == 0
    )  # fmt: skip
    [record] = shell.json("queues", "list")
    assert record["history_days"] == 30
    assert (record["max_attempts"], record["wanted_workers"]) == (9, 1)
    listed = shell.quick("queues", "list").stdout
    assert "30 d" in listed
    assert "1 (1..4)" in listed
    shell.quick("queues", "set", "email", "--clear", "attempts", "--clear", "min-workers")
    [record] = shell.json("queues", "list")
    assert (record["max_attempts"], record["min_workers"], record["history_days"]) == (None, 0, 30)


def test_what_cannot_be_decided_is_refused(shell: Shell) -> None:
    for words, said in (
        ([], "nothing to set"),
        (["--history-days", "0"], "should be greater than or equal to 1"),
        (["--min-workers", "5", "--max-workers", "4"], "max_workers 4 is below min_workers 5"),
        (["--attempts", "3", "--clear", "attempts"], "both given"),
    ):
        refused = shell.quick("queues", "set", "email", *words)
        assert refused.returncode == 2
        assert said in " ".join(refused.stderr.replace("│", " ").split())


def test_a_job_is_enqueued_with_a_deadline(shell: Shell, books: Books) -> None:
    shell.quick("enqueue", "greet", '{"name": "x"}', "--expires-in", "1h")
    job = books.value("SELECT id FROM jobqueue.jobs WHERE expires_at IS NOT NULL")
    assert shell.json("jobs", "show", str(job))["expires_at"] is not None
    assert "is cancelled" in shell.quick("jobs", "show", str(job)).stdout
