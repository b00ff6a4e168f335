"""What is said of TLS, in the URL or around it, holds for every connection that is made."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue import JobQueue, current_job
from jobqueue.cli.exit_codes import Exit
from jobqueue.store.database import to_conninfo
from tests.cli.shell import Shell
from tests.security.certificates import Authority
from tests.security.front import Front, front
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

CLIENT = "a client of ours"


@dataclass(frozen=True, slots=True)
class Papers:
    """Files of certificates."""

    authority: Path
    other_authority: Path
    client: Path
    client_key: Path
    server: ssl.SSLContext
    elsewhere: ssl.SSLContext
    """of a server that has another name than the one it is reached by"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = Authority(folder, "authority"), Authority(folder, "other")
    contexts: list[ssl.SSLContext] = []
    for name, address in (("here", "127.0.0.1"), ("elsewhere", "192.0.2.1")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.sign(name, name, address=address))
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        contexts.append(context)
    client, key = authority.sign("client", CLIENT)
    return Papers(authority.certificate, other.certificate, client, key, *contexts)


@pytest.fixture
def tls(database_url: str, papers: Papers) -> Iterator[Front]:
    with front(database_url, papers.server) as it:
        yield it


def reached(url: str, at: Front, **more: object) -> str:
    """Give what reaches the database at `url` through a front."""
    given = conninfo_to_dict(to_conninfo(url))
    kept = {name: given[name] for name in ("user", "password", "dbname") if given.get(name)}
    return make_conninfo("", **kept, host="127.0.0.1", port=at.port, **more)  # pyright: ignore[reportArgumentType] - whatever libpq takes


def options(papers: Papers) -> dict[str, str]:
    return {
        "sslmode": "verify-full",
        "sslrootcert": str(papers.authority),
        "sslcert": str(papers.client),
        "sslkey": str(papers.client_key),
    }


@dataclass(frozen=True, slots=True)
class Case:
    """What a test of a connection has to do with."""

    tls: Front
    papers: Papers
    shell: Shell
    url: str
    patch: pytest.MonkeyPatch


@pytest.fixture
def case(
    tls: Front, papers: Papers, shell: Shell, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Case:
    return Case(tls, papers, shell, database_url, monkeypatch)


def by_url(case: Case) -> str:
    return reached(case.url, case.tls, **options(case.papers))


def by_environment(case: Case) -> str:
    for name, value in options(case.papers).items():
        case.patch.setenv(f"PG{name.upper()}", value)
    return reached(case.url, case.tls)


def by_service(case: Case) -> str:
    given = conninfo_to_dict(by_url(case))
    lines = "".join(f"{name}={value}\n" for name, value in given.items())
    services = case.shell.folder / "services"
    services.write_text(f"[queue]\n{lines}")
    case.patch.setenv("PGSERVICEFILE", str(services))
    return "postgresql://?service=queue"


def application(url: str) -> JobQueue:
    jobs = JobQueue(url)

    @jobs.task
    def plain() -> None: ...

    @jobs.task
    def in_a_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("SELECT 1")

    @jobs.task
    async def in_a_coroutine() -> None:
        async with current_job().transaction() as connection:
            await connection.execute("SELECT 1")

    return jobs


# Every connection that there is, by the name it gives the server.
APPLICATIONS = {
    "jobqueue", "jobqueue cli", "jobqueue migrate", "jobqueue worker", "jobqueue worker acks",
    "jobqueue worker listens", "jobqueue leader", "jobqueue jobs",
}  # fmt: skip


@pytest.mark.parametrize("way", [by_url, by_environment, by_service])
def test_every_connection_is_encrypted_and_shows_its_certificate(
    case: Case, way: Callable[[Case], str]
) -> None:
    tls, shell = case.tls, case.shell
    books = Books(case.url)
    url = way(case)
    jobs = application(url)
    for command in (["migrate"], ["stats"], ["enqueue", "in_a_thread"], ["enqueue", "plain"]):
        done = shell.quick(*command, url=url)
        assert done.returncode == 0, done.stderr
    jobs.tasks["in_a_coroutine"].enqueue_now()
    done = shell.quick("grants", "--role", "postgres", "--for", "read", "--run", url=url)
    assert done.returncode == 0, done.stderr

    async def scenario() -> None:
        async with running(jobs, url):
            await auntil(lambda: books.unfinished() == 0, what="the jobs end")
            await auntil(
                lambda: any(one.application == "jobqueue leader" for one in tls.visits),
                what="the worker becomes the leader",
            )

    play(scenario())
    assert books.states() == {"completed": 3}
    books.close()
    # What is cancelled on the way out is cancelled over a connection of its own.
    assert {one.application for one in tls.visits} - {"cancel"} == APPLICATIONS
    assert {(one.version, one.client) for one in tls.visits} <= {
        ("TLSv1.3", CLIENT),
        ("TLSv1.2", CLIENT),
    }
    assert tls.refused == []


WITHOUT_A_FIT = {
    "an authority that did not sign it": (
        {"sslmode": "verify-ca", "sslrootcert": "other"}, "certificate verify failed",
    ),
    # In TLS 1.3 the refusal may come after the end of the connection: then it is not told why.
    "no certificate of the client's": (
        {"sslmode": "require", "sslcert": "/nowhere", "sslkey": "/nowhere"}, "connection failed",
    ),
    "an authority's file that is not there": (
        {"sslmode": "verify-full", "sslrootcert": "/nowhere"}, '"/nowhere" does not exist',
    ),
    "a key that is not there": ({"sslmode": "require", "sslkey": "/nowhere"}, "/nowhere"),
    "a mode that is none": ({"sslmode": "always"}, 'invalid sslmode value: "always"'),
    "an older protocol than there is": (
        {"ssl_max_protocol_version": "TLSv1.1", "ssl_min_protocol_version": "TLSv1.1"}, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("misfit", WITHOUT_A_FIT)
@pytest.mark.parametrize("command", [["stats"], ["migrate"], ["worker", "shop:jobs"]], ids=" ".join)
def test_what_does_not_fit_is_said_and_nothing_goes_on_in_the_clear(
    case: Case, misfit: str, command: list[str]
) -> None:
    changes, said = WITHOUT_A_FIT[misfit]
    given = options(case.papers) | changes
    if changes.get("sslrootcert") == "other":
        given["sslrootcert"] = str(case.papers.other_authority)
    url = reached(case.url, case.tls, **given)
    limit = ["--connect-timeout", "0"] if command[0] == "worker" else []
    done = case.shell.quick(*command, *limit, url=make_conninfo(url, password="hunter2-of-tls"))
    assert done.returncode == Exit.DATABASE, done.stderr
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert case.tls.visits == []


def test_a_server_of_another_name_is_not_believed(
    papers: Papers, shell: Shell, database_url: str
) -> None:
    with front(database_url, papers.elsewhere) as elsewhere:
        done = shell.quick("stats", url=reached(database_url, elsewhere, **options(papers)))
        assert done.returncode == Exit.DATABASE
        assert 'does not match host name "127.0.0.1"' in done.stderr
        assert elsewhere.visits == []
        # A mode that does not ask for the name takes it, as libpq does.
        weaker = options(papers) | {"sslmode": "verify-ca"}
        assert shell.quick("stats", url=reached(database_url, elsewhere, **weaker)).returncode == 0


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_without_tls_is_not_talked_to_when_it_is_asked_for(
    papers: Papers, shell: Shell, database_url: str, mode: str
) -> None:
    with front(database_url, None) as plain:
        given = options(papers) | {"sslmode": mode}
        for command in (["stats"], ["migrate"], ["worker", "shop:jobs", "--connect-timeout", "0"]):
            done = shell.quick(*command, url=reached(database_url, plain, **given))
            assert done.returncode == Exit.DATABASE, done.stderr
            assert "server does not support SSL, but SSL was required" in done.stderr
        assert plain.visits == []
        done = shell.quick("stats", url=reached(database_url, plain, sslmode="prefer"))
        assert done.returncode == 0
        assert [one.version for one in plain.visits] == [None]
