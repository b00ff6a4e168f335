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
