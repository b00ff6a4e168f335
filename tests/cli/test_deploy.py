"""The files in deploy/ agree with what a worker does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from jobqueue.cli.options import parse_seconds
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.supervisor.child import FAREWELL_SECONDS
from jobqueue.worker.supervisor.memory import parse_size
from tests.cli.shell import Shell

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = {name: (DEPLOY / name).read_text() for name in (
    "jobqueue-worker.service", "Dockerfile", "kubernetes.yaml", "README.md"
)}  # fmt: skip
GUIDE = (DEPLOY.parent / "docs" / "workers.md").read_text()


def found(pattern: str, name: str) -> str:
    """Give what `pattern` finds, once, in a file."""
    [one] = re.findall(pattern, FILES[name], re.MULTILINE)
    return one


def commands() -> dict[str, list[str]]:
    """Give the words after `jobqueue` of each command that runs workers."""
    in_yaml = found(r"command:\n((?: +(?:- .*|#.*)\n)+) +env:", "kubernetes.yaml")
    return {
        "jobqueue-worker.service": shlex.split(
            found(r"^ExecStart=\S+/jobqueue (.*)$", "jobqueue-worker.service")
        ),
        "Dockerfile": json.loads(found(r"^CMD (.*)$", "Dockerfile"))[1:],
        "kubernetes.yaml": re.findall(r"^ +- (.*)$", in_yaml, re.MULTILINE)[1:],
    }


def grace_seconds(words: list[str]) -> float:
    return parse_seconds(re.findall(r"--grace[= ](\S+)", " ".join(words))[0])


@pytest.mark.parametrize("name", list(commands()))
def test_workers_are_given_the_time_they_take_to_stop(name: str) -> None:
    needed = grace_seconds(commands()[name]) + FAREWELL_SECONDS
    allowed = {
        "jobqueue-worker.service": lambda: found(r"^TimeoutStopSec=(\d+)$", name),
        "Dockerfile": lambda: found(r"`docker run --stop-timeout (\d+)`", "README.md"),
        "kubernetes.yaml": lambda: found(r"terminationGracePeriodSeconds: (\d+)$", name),
    }
    assert float(allowed[name]()) > needed


def test_every_page_gives_a_process_manager_the_same_time() -> None:
    told = r"(?:TimeoutStopSec=|GracePeriodSeconds: |stop.timeout |stop_grace_period: )(\d+)"
    pages = {**FILES, "docs/workers.md": GUIDE}
    found = {name: set(re.findall(told, text)) for name, text in pages.items()}
    assert set.union(*found.values()) == {"65"}, found
    assert [name for name, times in found.items() if not times] == ["Dockerfile"]
    grace = WorkerSettings().grace_seconds
    for waits in (grace, grace + FAREWELL_SECONDS, 65):
        assert f"{waits:g} s | " in GUIDE


@pytest.mark.parametrize("name", list(commands()))
def test_the_commands_are_understood(bare_shell: Shell, name: str) -> None:
    words = commands()[name]
    assert words[0:2] == ["worker", "myapp.jobs:jobs"]
    # One worker, so that none is started: what it complains of is the application alone.
    alone = re.sub(r"--(processes|max-memory)[= ]\S+", "", " ".join(words)).split()
    done = bare_shell.quick(*alone)
    assert done.returncode == 2
    assert "no module named 'myapp'" in done.stderr
    helped = bare_shell.quick(*words, "--help")
    assert helped.returncode == 0


def test_they_stop_as_a_worker_expects_and_start_again() -> None:
    unit = FILES["jobqueue-worker.service"]
    for line in ("Type=exec", "KillSignal=SIGTERM", "KillMode=mixed", "Restart=always"):
        assert line in unit.splitlines()
    assert "STOPSIGNAL SIGTERM" in FILES["Dockerfile"].splitlines()
    assert re.search(r"^USER (?!0|root)", FILES["Dockerfile"], re.MULTILINE)
    assert FILES["kubernetes.yaml"].count("runAsNonRoot: true") == 2


def test_the_limit_of_each_process_fits_into_the_container() -> None:
    words = " ".join(commands()["kubernetes.yaml"])
    processes = int(re.findall(r"--processes=(\d+)", words)[0])
    each = parse_size(re.findall(r"--max-memory=(\S+)", words)[0])
    limits = re.findall(r"limits: {memory: (\S+)}", FILES["kubernetes.yaml"])
    assert processes * each < parse_size(limits[-1])
