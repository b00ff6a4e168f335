"""A password that is nowhere but in a file of libpq's opens every door, and a wrong one none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from jobqueue import JobQueue, current_job
from jobqueue.cli.exit_codes import Exit
from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell
from tests.security.guarded import TELLTALE, Guarded
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def written(folder: Path, server: Guarded, *, password: str | None = None) -> Path:
    path = folder / "passwords"
    path.write_text(server.pass_line(**({} if password is None else {"password": password})))
    path.chmod(0o600)
    return path


Way = Callable[[Guarded, Path, pytest.MonkeyPatch], str]


def by_environment(server: Guarded, folder: Path, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("PGPASSFILE", str(written(folder, server)))
    return server.url()


def by_parameter(server: Guarded, folder: Path, patch: pytest.MonkeyPatch) -> str:
    return server.url(passfile=str(written(folder, server)))


def by_url(server: Guarded, folder: Path, patch: pytest.MonkeyPatch) -> str:
    host = server.host.replace("/", "%2F")
    return f"postgresql://queue%20owner@{host}/queue?passfile={written(folder, server)}"


def by_service(server: Guarded, folder: Path, patch: pytest.MonkeyPatch) -> str:
    services = folder / "services"
    services.write_text(
        f"[queue]\nhost={server.host}\nuser=queue owner\ndbname=queue\n"
        f"passfile={written(folder, server)}\n"
    )
    patch.setenv("PGSERVICEFILE", str(services))
    return "service=queue"


@pytest.mark.parametrize("way", [by_environment, by_parameter, by_url, by_service])
def test_a_password_in_a_file_serves_every_connection(
    server: Guarded, open_books: Books, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = way(server, tmp_path, monkeypatch)
    shell = Shell(tmp_path, url)
    for command in (["migrate"], ["stats"]):
        done = shell.quick(*command)
        assert (done.returncode, done.stderr) == (0, "")
    jobs = JobQueue(url)

    @jobs.task
    def work() -> None: ...

    @jobs.task
    async def effect() -> None:
        async with current_job().transaction() as connection:
            await connection.execute("SELECT 1")

    assert shell.json("enqueue", "work")["outcome"] == "inserted"
    work.enqueue_now()
    effect.enqueue_now()

    async def scenario() -> None:
        async with running(jobs, url):
            await auntil(lambda: open_books.unfinished() == 0, what="every job ends")

    play(scenario())
    assert open_books.states() == {"completed": 3}


def test_without_the_password_nothing_opens_and_a_wrong_one_is_not_shown(
    server: Guarded, open_books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the file of whoever runs the tests, nor one that others may read.
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "nowhere"))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    wrong = f"{TELLTALE} but wrong"
    public = written(tmp_path, server)
    public.chmod(0o644)
    cases = {
        server.url(): "no password supplied",
        server.url(password=wrong): "password authentication failed",
        server.url(passfile=str(public)): "no password supplied",
    }
    shell = Shell(tmp_path, None)
    for url, said in cases.items():
        for command in (["migrate"], ["stats"], ["worker", "shop:jobs", "--connect-timeout", "0"]):
            done = shell.quick(*command, url=url)
            assert done.returncode == Exit.DATABASE, done.stderr
            assert said in done.stderr
            assert TELLTALE not in done.stderr + done.stdout
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(to_conninfo(server.url()))
