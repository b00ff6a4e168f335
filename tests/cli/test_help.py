"""Every command explains itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperOption
from typer.main import get_command

import jobqueue
from jobqueue.cli.main import app
from tests.cli.shell import Shell

COMMANDS = [
    "",
    "migrate",
    "grants",
    "worker",
    "enqueue",
    "stats",
    "dev",
    "dev start",
    "dev stop",
    "dev status",
    "dev psql",
    "jobs",
    "jobs list",
    "jobs show",
    "jobs result",
    "jobs cancel",
    "jobs retry",
    "dead",
    "dead list",
    "dead show",
    "dead edit",
    "dead redrive",
    "dead purge",
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(bare_shell: Shell, name: str) -> None:
    done = bare_shell.quick(*name.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout
    assert f"jobqueue {name}".rstrip() in done.stdout


def test_the_help_names_every_command_and_every_exit_code(bare_shell: Shell) -> None:
    done = bare_shell.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert name.partition(" ")[0] in done.stdout
    assert "Exit codes: 0 done" in done.stdout


def test_every_option_of_a_worker_is_in_its_guide_and_the_other_way_round() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "workers.md").read_text()
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", guide))
    parameters = get_command(app).commands["worker"].params
    options = [one for one in parameters if isinstance(one, TyperOption)]
    assert len(options) > 20
    for option in options:
        assert told & {*option.opts, *option.secondary_opts}, option.opts
    # It tells of pausing as well.
    options += get_command(app).commands["pause"].params
    known = {word for one in options for word in (*one.opts, *one.secondary_opts)}
    assert told - known == {"--help", "--stop-timeout"}, "Docker has the last one"


def test_the_version_is_told(bare_shell: Shell) -> None:
    assert bare_shell.quick("--version").stdout == f"jobqueue {jobqueue.__version__}\n"


def test_a_command_that_does_not_exist_is_wrong_usage(bare_shell: Shell) -> None:
    done = bare_shell.quick("push")
    assert done.returncode == 2
    assert "No such command 'push'" in done.stderr
