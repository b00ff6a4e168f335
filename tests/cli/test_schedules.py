"""`jobqueue schedules`: look at them, make and change them, run them by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobqueue.core.schedules import tick_id
from tests.cli.shell import Shell
from tests.worker.books import Books


def add(shell: Shell, *words: str) -> str:
    done = shell.quick("schedules", "add", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(shell: Shell, name: str = "s") -> dict[str, Any]:
    return shell.json("schedules", "show", name)


def test_there_are_none_at_first(shell: Shell) -> None:
    assert "no schedules" in shell.run("schedules", "list").stdout
    assert shell.json("schedules", "list") == []


def test_one_is_added_and_shown(shell: Shell, books: Books) -> None:
    said = add(
        shell, "s", "greet", '{"name": "ada"}', "--cron", "0 3 * * mon", "--tz", "Europe/Berlin",
        "--jitter", "5m", "--count", "9", "--missed", "all", "--missed-limit", "7", "--overlap",
        "skip", "--queue", "reports", "--priority", "low", "--attempts", "2", "--end",
        "2090-01-01T00:00:00Z",
    )  # fmt: skip
    assert "schedule 's': added; next tick " in said
    books.enter_task("greet")
    found = shown(shell)
    assert found["args"] == {"name": "ada"}
    expected = {
        "cron": "0 3 * * mon", "timezone": "Europe/Berlin", "jitter_seconds": 300, "max_runs": 9,
        "missed": "all", "missed_limit": 7, "overlap": "skip", "queue": "reports", "priority": 10,
        "max_attempts": 2, "source": "cli", "state": "active", "ticks": [],
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert "no worker knows task 'greet'" in found["remarks"]
    text = shell.quick("schedules", "show", "s").stdout
    assert "0 3 * * mon (Europe/Berlin)" in text
    assert "all, 7 at most; after 1.0 m" in text
    assert "no worker knows task 'greet'" in shell.quick("schedules", "list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "needs one rule"),
        (["--cron", "0 0 30 2 *"], "never fires"),
        (["--cron", "nonsense"], "has 1 fields"),
        (["--cron", "@daily", "--every", "5m"], "only one of them"),
        (["--cron", "@daily", "--tz", "Europe/Atlantis"], "unknown; use a name of the IANA"),
        (["--at", "2030-01-01T00:00"], "has no time zone"),
        (["--every", "500ms"], "not in whole seconds"),
        (["--cron", "@daily", "--missed", "never"], "use one of skip, once, all"),
        (["--cron", "@daily", "--overlap", "never"], "use one of allow, skip, queue"),
        (
            ["--cron", "@daily", "--start", "2031-01-01T00:00Z", "--end", "2030-01-01T00:00Z"],
            "before the start",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: list[str], said: str) -> None:
    done = shell.quick("schedules", "add", "s", "greet", *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert shell.json("schedules", "list") == []


def test_a_name_is_taken_once(shell: Shell) -> None:
    add(shell, "s", "greet", "--cron", "@daily")
    done = shell.quick("schedules", "add", "s", "greet", "--cron", "@hourly")
    assert (done.returncode, "there is one already" in done.stderr) == (1, True)
    assert shown(shell)["cron"] == "@daily"


def test_an_update_changes_what_is_given_and_keeps_the_rest(shell: Shell, books: Books) -> None:
    add(shell, "s", "greet", '{"name": "ada"}', "--every", "1h", "--overlap", "queue")
    books.enter_task("greet")
    anchor = "2026-01-01T00:07:00+00:00"
    for words in (
        ["--anchor", anchor, "--every", "2h"],
        ["--priority", "1"],
        ["--args", '{"name": "bob"}'],
        ["--missed", "skip"],
    ):
        done = shell.quick("schedules", "update", "s", *words)
        assert done.returncode == 0, done.stderr
    found = shown(shell)
    assert (found["every_seconds"], found["priority"], found["overlap"]) == (7200, 1, "queue")
    assert (found["args"], found["missed"]) == ({"name": "bob"}, "skip")
    assert datetime.fromisoformat(found["anchor"]) == datetime.fromisoformat(anchor)
    assert shell.quick("schedules", "update", "s", "--cron", "@daily").returncode == 0
    found = shown(shell)
    assert (found["cron"], found["every_seconds"]) == ("@daily", None)


def test_an_update_of_nothing_or_of_nobody_or_to_nonsense(shell: Shell) -> None:
    assert shell.quick("schedules", "update", "s", "--cron", "@daily").returncode == 1
    add(shell, "s", "greet", "--cron", "@daily")
    assert "nothing to change" in shell.quick("schedules", "update", "s").stderr
    assert shell.quick("schedules", "update", "s", "--cron", "0 0 30 2 *").returncode == 2
    hidden = shell.quick("schedules", "update", "s", "--args", '{"name": "[redacted]"}')
    assert "stands for a secret" in hidden.stderr
    assert shown(shell)["cron"] == "@daily"


def test_pause_and_resume_say_what_was(shell: Shell) -> None:
    add(shell, "s", "greet", "--cron", "@daily")
    assert shell.quick("schedules", "resume", "s").returncode == 1
    assert "paused" in shell.quick("schedules", "pause", "s").stdout
    again = shell.quick("schedules", "pause", "s")
    assert (again.returncode, "is paused" in again.stderr) == (1, True)
    assert [one["name"] for one in shell.json("schedules", "list", "--state", "paused")] == ["s"]
    assert shell.quick("schedules", "resume", "s").returncode == 0
    assert shown(shell)["state"] == "active"


@pytest.mark.parametrize(
    "words", [["pause"], ["resume"], ["show"], ["next"], ["run-now"], ["remove", "--yes"]]
)
def test_nobody_of_that_name(shell: Shell, words: list[str]) -> None:
    done = shell.quick("schedules", words[0], "no[b]ody", *words[1:])
    assert done.returncode == 1
    assert "'no[b]ody': unknown; see `jobqueue schedules list`" in done.stderr


def test_one_is_removed_after_asking(shell: Shell) -> None:
    add(shell, "s", "greet", "--cron", "@daily")
    assert shell.quick("schedules", "remove", "s", answer="n\n").returncode == 1
    assert shown(shell)["name"] == "s"
    assert shell.quick("schedules", "remove", "s", answer="y\n").returncode == 0
    assert shell.json("schedules", "list") == []


def test_run_now_enqueues_one_job_also_in_a_pause(shell: Shell, books: Books) -> None:
    add(shell, "s", "greet", "--cron", "@yearly")
    shell.quick("schedules", "pause", "s")
    job_id = shell.json("schedules", "run-now", "s")["id"]
    assert books.rows("SELECT id::text, task FROM jobqueue.jobs") == [(job_id, "greet")]
    [tick] = shown(shell)["ticks"]
    assert (tick["job_id"], tick["by_hand"], tick["state"]) == (job_id, True, "enqueued")
    assert "by hand" in shell.quick("schedules", "show", "s").stdout


def test_a_backfill_enqueues_each_past_tick_once(shell: Shell, books: Books) -> None:
    add(shell, "s", "greet", "--cron", "0 * * * *")
    words = ["backfill", "s", "--from", "2026-01-01T00:00Z", "--to", "2026-01-01T05:00Z"]
    assert shell.json("schedules", *words) == {"ticks": 6, "enqueued": 6}
    again = shell.quick("schedules", *words)
    assert (again.returncode, "enqueued 0" in again.stdout) == (1, True)
    hours = [tick_id.scheduled_for(one) for (one,) in books.rows("SELECT id FROM jobqueue.jobs")]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert sorted(one for one in hours if one) == [start + timedelta(hours=n) for n in range(6)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "2026-01-01T00:00Z", "--limit", "10"], "more than 10 ticks"),
        (["--from", "2026-01-01T00:00Z", "--to", "2090-01-01T00:00Z"], "not past yet"),
        (["--from", "2026-01-02T00:00Z", "--to", "2026-01-01T00:00Z"], "exchange them"),
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused(
    shell: Shell, books: Books, words: list[str], said: str
) -> None:
    add(shell, "s", "greet", "--cron", "* * * * *")
    done = shell.quick("schedules", "backfill", "s", *words)
    assert (done.returncode, said in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert books.unfinished() == 0


def test_next_shows_ticks_of_a_schedule_or_of_a_rule(shell: Shell) -> None:
    add(shell, "s", "greet", "--every", "1h")
    kept = [datetime.fromisoformat(one) for one in shell.json("schedules", "next", "s")]
    assert [one - kept[0] for one in kept] == [timedelta(hours=n) for n in range(5)]
    rule = ["--cron", "30 2 * * *", "--tz", "Europe/Berlin", "--start", "2026-03-28T00:00Z"]
    rule += ["--end", "2026-03-30T12:00Z"]
    text = shell.quick("schedules", "next", "--cron", "@daily", "--tz", "Europe/Berlin").stdout
    assert "Europe/Berlin" in text
    assert "00:00:00+0" in text
    if datetime.now(UTC) < datetime(2026, 3, 28, tzinfo=UTC):
        assert len(shell.json("schedules", "next", *rule)) == 3
    both = shell.quick("schedules", "next", "s", "--cron", "@daily")
    assert (both.returncode, "not both" in both.stderr) == (2, True)


def test_what_is_wrong_is_said(shell: Shell, books: Books) -> None:
    for name in ("late", "failing", "broken", "dropped"):
        add(shell, name, "greet", "--cron", "@daily")
    changes = {
        "late": "next_at = now() - interval '5 minutes'",
        "failing": "failures = 3",
        "broken": "state = 'broken', problem = 'time zone X: unknown'",
        "dropped": "state = 'dropped'",
    }
    for name, change in changes.items():
        books.rows(f"UPDATE jobqueue.schedules SET {change} WHERE name = %s", [name])
    remarks = {one["name"]: one["remarks"] for one in shell.json("schedules", "list")}
    assert any("overdue for 5.0 m" in one for one in remarks["late"])
    assert "failing: 3 dead since its last success" in remarks["failing"]
    assert "time zone X: unknown" in remarks["broken"]
    assert "its code declares it no more" in remarks["dropped"]


def test_what_others_wrote_cannot_command_the_terminal(shell: Shell, books: Books) -> None:
    books.rows(
        "INSERT INTO jobqueue.schedules (name, task, cron) VALUES (%s, %s, '@daily')",
        ["\x1b[31mred[bold]", "t\x07"],
    )
    for words in (["list"], ["show", "\x1b[31mred[bold]"]):
        text = shell.quick("schedules", *words).stdout
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "red[bold]" in text


def test_secrets_are_hidden(shell: Shell, books: Books) -> None:
    add(shell, "s", "greet", '{"name": "hunter2"}', "--cron", "@daily")
    assert "hunter2" not in json.dumps(shown(shell))
    assert "hunter2" not in shell.quick("schedules", "show", "s").stdout
    assert books.value("SELECT args ->> 'name' FROM jobqueue.schedules") == "hunter2"
