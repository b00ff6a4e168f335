"""`jobqueue limits`: list, set, remove, hold, release."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell
from tests.worker.books import Books


def test_limits_are_set_held_released_and_removed(shell: Shell, books: Books) -> None:
    assert "no limit" in shell.quick("limits", "list").stdout
    shell.quick("limits", "set", "api", "--rate", "50/1s", "--burst", "5")
    shell.quick("limits", "set", "imports", "--concurrency", "2", "--fair", "--weight", "big=3")
    api, imports = shell.json("limits", "list")
    assert (api["amount"], api["per_seconds"], api["burst"]) == (50, 1.0, 5)
    assert (imports["amount"], imports["fair"], imports["weights"]) == (2, True, {"big": 3})

    shell.quick("limits", "set", "api", "--rate", "100/m")
    assert "100 in 60 s, burst 5" in shell.quick("limits", "list").stdout
    assert "held until" in shell.quick("limits", "hold", "api", "5m").stdout
    assert shell.json("limits", "list")[0]["held_until"] is not None
    shell.quick("limits", "release", "api")
    assert shell.json("limits", "list")[0]["held_until"] is None
    shell.quick("limits", "remove", "api")
    assert "removed: everybody passes" in shell.quick("limits", "list").stdout
    assert books.value("SELECT count(*) FROM jobqueue.limits") == 2


@pytest.mark.parametrize(
    "words",
    [
        ("set", "api"),
        ("set", "api", "--rate", "50"),
        ("set", "api", "--rate", "0/1s"),
        ("set", "api", "--rate", "5/x"),
        ("set", "api", "--rate", "5/1s", "--concurrency", "2"),
        ("set", "api", "--concurrency", "0"),
        ("set", "api", "--concurrency", "2", "--burst", "2"),
        ("set", "api", "--concurrency", "2", "--weight", "big"),
        ("hold", "api", "soon"),
    ],
)
def test_what_cannot_be_is_refused_as_usage(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.quick("limits", *words).returncode == 2


@pytest.mark.parametrize("words", [("hold", "api", "5s"), ("release", "api"), ("remove", "api")])
def test_an_unknown_limit_is_named(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.quick("limits", *words)
    assert done.returncode == 1
    assert "there is none" in done.stderr


def test_jobs_at_a_gate_are_listed_shown_counted_and_cancelled(shell: Shell, books: Books) -> None:
    shell.quick("limits", "set", "api", "--rate", "1/1h")
    [(first,), (second,)] = books.rows(
        "SELECT job_id FROM jobqueue.enqueue_gated_v1('greet', '[{}, {}]', 'default', 5, NULL,"
        " NULL, 20, NULL, NULL, '1 day', NULL, 'skip', NULL, NULL, NULL, NULL, 'api', NULL, NULL)"
    )
    listed = shell.json("jobs", "list", "--state", "gated")
    assert {job["id"] for job in listed} == {str(first), str(second)}
    assert "gated" in shell.quick("jobs", "show", str(first)).stdout
    assert shell.json("limits", "list")[0]["waiting"] == 2

    retried = shell.quick("jobs", "retry", str(first))
    assert retried.returncode == 1
    assert "gated" in retried.stdout
    assert shell.quick("jobs", "cancel", str(first)).returncode == 0
    assert books.states() == {"cancelled": 1, "gated": 1}
    assert shell.json("limits", "list")[0]["waiting"] == 1
