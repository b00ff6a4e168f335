"""`jobqueue dead`: list, show, edit, redrive, purge."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.cli.shell import Shell, finish
from tests.conftest import emptied
from tests.waiting import until
from tests.worker.books import Books


@pytest.fixture
def graves(books: Books) -> dict[str, UUID]:
    """Four dead letters, oldest first."""
    return {
        "mail 1": books.bury("send_mail", queue="email"),
        "mail 2": books.bury("send_mail", queue="email"),
        "greet": books.bury("greet"),
        "resize": books.bury("resize", queue="images"),
    }


@pytest.fixture
def working(shell: Shell) -> Iterator[None]:
    """A worker of the shop beside the test."""
    process = shell.start("worker", "shop:jobs")
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        finish(process)


def buried(books: Books) -> set[UUID]:
    return {row[0] for row in books.rows("SELECT id FROM jobqueue.dead_letters")}


def test_dead_letters_are_listed_newest_first_and_filtered(
    shell: Shell, graves: dict[str, UUID]
) -> None:
    lines = shell.quick("dead", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        str(job_id) for job_id in reversed(graves.values())
    ]
    assert "it [broke] badly" in lines[1]
    of_email = shell.json("dead", "list", "--queue", "email", "--limit", "1")
    assert [job["id"] for job in of_email] == [str(graves["mail 2"])]
    assert shell.json("dead", "list", "--before", "2020-01-01T00:00:00Z") == []
    assert "the line that broke" in shell.quick("dead", "show", str(graves["greet"])).stdout


def test_a_dead_letter_is_given_other_arguments_and_redriven(
    shell: Shell, books: Books, graves: dict[str, UUID]
) -> None:
    books.enter_task("greet")
    job_id = graves["greet"]
    pasted = shell.quick("dead", "edit", str(job_id), '{"name": "[redacted]"}')
    assert (pasted.returncode, "give its value" in pasted.stderr) == (2, True)
    edited = shell.quick("dead", "edit", str(job_id), '{"name": "Ada"}')
    assert edited.returncode == 0
    assert f"jobqueue dead redrive {job_id}" in edited.stdout
    done = shell.quick("dead", "redrive", str(job_id))
    assert (done.returncode, done.stdout) == (0, "redriven 1\n")
    record = books.job(job_id)
    assert (record.state, record.attempt, record.args) == ("available", 0, {"name": "Ada"})
    assert (record.errors or [])[0]["message"] == "it [broke] badly", "its past is kept"
    assert len(buried(books)) == 3

    late = shell.quick("dead", "edit", str(job_id), "{}")
    assert late.returncode == 1
    assert "no dead letter" in late.stderr
    assert shell.quick("dead", "redrive", str(job_id)).returncode == 1, "nothing was there to do"


def test_dead_letters_are_redriven_by_id_by_filter_and_all_at_once(
    shell: Shell, books: Books, graves: dict[str, UUID]
) -> None:
    by_id = shell.json("dead", "redrive", str(graves["resize"]), str(uuid4()))
    assert by_id == {"redriven": [str(graves["resize"])]}
    by_queue = shell.json("dead", "redrive", "--queue", "email")
    assert by_queue == {"redriven": [str(graves["mail 1"]), str(graves["mail 2"])]}
    assert buried(books) == {graves["greet"]}
    everything = shell.quick("dead", "redrive", "--all")
    assert (everything.returncode, everything.stdout) == (0, "redriven 1\n")
    assert books.states() == {"available": 4}


def test_a_rate_spreads_the_jobs_over_time(shell: Shell, books: Books) -> None:
    for _ in range(5):
        books.bury("greet")
    assert shell.quick("dead", "redrive", "--all", "--rate", "4").stdout == "redriven 5\n"
    spread = books.value(
        "SELECT extract(epoch FROM max(run_at) - min(run_at))::float FROM jobqueue.jobs"
    )
    assert 0.9 <= spread < 3


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize("names", [["--all"], ["--before", "2130-01-01T00:00:00Z"]])
def test_jobs_that_die_again_meanwhile_are_not_redriven_for_ever(
    shell: Shell, books: Books, names: list[str]
) -> None:
    ids = {books.bury("send_mail", queue="email", args='{"address": "x"}') for _ in range(3)}
    until(lambda: books.value("SELECT count(*) FROM jobqueue.workers"), what="the worker works")
    done = finish(shell.start("dead", "redrive", *names, "--rate", "30"), seconds=10)
    assert (done.returncode, done.stdout) == (0, "redriven 3\n")
    until(lambda: buried(books) == ids, what="all three have died again")
    assert books.rows("SELECT DISTINCT jsonb_array_length(errors) FROM jobqueue.dead_letters") == [
        (2,)
    ]


def test_purging_asks_first(shell: Shell, books: Books, graves: dict[str, UUID]) -> None:
    refused = shell.run("dead", "purge", "--all", answer="n\n")
    assert refused.returncode == 1
    assert len(buried(books)) == 4
    agreed = shell.quick("dead", "purge", "--queue", "email", answer="y\n")
    assert agreed.returncode == 0
    assert buried(books) == {graves["greet"], graves["resize"]}


def test_dead_letters_are_purged_by_id_and_all_without_asking_when_told_yes(
    shell: Shell, books: Books, graves: dict[str, UUID]
) -> None:
    one = shell.quick("dead", "purge", str(graves["greet"]), "--yes", "--json")
    assert json.loads(one.stdout) == {"purged": [str(graves["greet"])]}
    assert shell.quick("dead", "purge", "--all", "--yes").stdout == "purged 3\n"
    assert books.states() == {}
    assert shell.quick("dead", "purge", "--all", "--yes").returncode == 1


@pytest.mark.parametrize(
    "names",
    [
        [],
        [str(uuid4()), "--all"],
        [str(uuid4()), "--queue", "email"],
        [str(uuid4()), "--before", "2030-01-01T00:00:00Z"],
    ],
)
@pytest.mark.parametrize("command", [["redrive"], ["purge", "--yes"]])
def test_dead_letters_named_two_ways_or_none_are_refused(
    tmp_path: Path, shared_database_url: str, command: list[str], names: list[str]
) -> None:
    shell = Shell(tmp_path, emptied(shared_database_url))
    with closing(Books(shared_database_url)) as books:
        books.bury("greet")
        done = shell.quick("dead", *command, *names)
        assert done.returncode == 2
        assert "name dead letters one way" in done.stderr
        assert len(buried(books)) == 1
