"""`jobqueue dev`: a database for a laptop, started and stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from jobqueue.testing import embedded
from tests.cli.shell import Shell, one_line


@pytest.fixture
def laptop(bare_shell: Shell) -> Iterator[Shell]:
    """A folder whose server is stopped at the end, whatever came of the test."""
    try:
        yield bare_shell
    finally:
        bare_shell.run("dev", "stop")


def test_a_server_is_started_used_looked_at_and_stopped_and_keeps_its_data(
    laptop: Shell,
) -> None:
    asleep = laptop.quick("dev", "status")
    assert asleep.returncode == 1
    assert "not running" in asleep.stdout
    no_psql = laptop.quick("dev", "psql", "-c", "SELECT 1")
    assert no_psql.returncode == 2
    assert "start one with `jobqueue dev`" in one_line(no_psql)

    started = laptop.run("dev")
    assert (started.returncode, started.stderr) == (0, "")
    [url] = started.stdout.splitlines()  # so that $(jobqueue dev) is a URL and nothing else
    assert laptop.run("dev", "status").stdout == started.stdout
    assert laptop.quick("migrate", url=url).returncode == 0
    psql = laptop.run("dev", "psql", "-Atc", "SELECT count(*) FROM jobqueue.jobs")
    assert (psql.returncode, psql.stdout) == (0, "0\n")

    assert "stopped" in laptop.run("dev", "stop").stdout
    assert laptop.quick("dev", "status").returncode == 1
    assert "no server ran" in laptop.quick("dev", "stop").stdout
    assert laptop.quick("stats", url=url).returncode == 3

    assert laptop.run("dev", "start").stdout == started.stdout
    assert laptop.quick("stats", url=url).returncode == 0, "the schema is still there"


def test_a_server_can_be_stopped_and_started_again_by_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    try:
        url = embedded.start(folder)
        assert embedded.running(folder)
        assert embedded.stop(folder)
        assert not embedded.running(folder)
        assert not embedded.stop(folder)
        url = embedded.start(folder)
        with psycopg.connect(to_conninfo(url)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        embedded.stop(folder)
    assert not embedded.running(folder)
