"""The command beside a real fleet, a role that may see little, locks, and no database at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from jobqueue.core.errors import ConfigurationError
from jobqueue.doctor import examine
from jobqueue.doctor.check import checks
from jobqueue.store import stats
from jobqueue.store.grants import Purpose
from tests.cli.shell import Shell
from tests.doctor.visit import QUICK, Visit
from tests.store.roles import connected_as
from tests.system.processes import APPLICATION, Crew
from tests.waiting import until

SCHEDULE = """

@jobs.schedule(every=1)
@jobs.task
async def tick() -> None:
    note("tick")
"""


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    folder = tmp_path / "fleet"
    folder.mkdir()
    it = Crew(folder)
    (folder / "app.py").write_text(APPLICATION + SCHEDULE)
    try:
        yield it
    finally:
        it.end()


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Shell:
    return Shell(tmp_path, database_url)


def test_a_fleet_that_works_is_healthy_and_ill_once_it_is_killed(
    visit: Visit, shell: Shell, crew: Crew
):
    workers = [crew.start(visit.url) for _ in range(2)]
    visit.rows(
        "SELECT jobqueue.enqueue_many_v1('count', jsonb_agg(jsonb_build_object('number', n))) "
        "FROM generate_series(1, 500) AS n"
    )
    visit.rows("SELECT jobqueue.enqueue_v1('count', '{\"number\": 1}', delay => '1 hour')")
    until(lambda: crew.runs()["500"] and crew.runs()["tick"] >= 2, what="jobs and ticks run")
    done = shell.run("doctor")
    assert (done.returncode, done.stdout) == (0, f"healthy (checks: {len(checks())})\n"), done

    for worker in workers:
        worker.end()
    until(
        lambda: not visit.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
        what="the leader's session is over",
    )
    visit.rows("SELECT jobqueue.enqueue_v1('count', '{\"number\": 1}')")
    visit.rows("UPDATE jobqueue.workers SET expires_at = now() - interval '2 minutes'")
    done = shell.run("doctor", "--skip", "schedules")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] != " "] == [
        "queues", "waiting", "waiting", "problems:",
    ]  # fmt: skip
    assert "  do   jobqueue worker MODULE:NAME --queue default" in lines
    assert lines[-1] == f"problems: 3 (checks: {len(checks()) - 1})"


def test_programs_get_json(shell: Shell, visit: Visit):
    assert shell.json("doctor") == {
        "healthy": True, "problems": [], "unseen": [], "checks": list(checks()),
    }  # fmt: skip
    visit.rows("SELECT jobqueue.enqueue_v1('send', queue => 'email')")
    done = shell.quick("doctor", "--json", "--only", "queues", "--only", "clocks")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["healthy"] is False
    assert told["checks"] == ["clocks", "queues"]
    [problem] = told["problems"]
    assert (problem["check"], problem["evidence"]["queue"]) == ("queues", "email")
    assert problem["remedies"] == ["jobqueue worker MODULE:NAME --queue email"]


def test_a_database_that_cannot_be_reached_is_told_apart_from_one_that_is_ill(shell: Shell):
    nowhere = "postgresql://127.0.0.1:1/nowhere"
    done = shell.quick("doctor", url=nowhere)
    assert done.returncode == 2
    assert done.stderr.startswith("cannot look: database: no connection")
    told = json.loads(shell.quick("doctor", "--json", url=nowhere).stdout)
    assert told["healthy"] is None
    assert "no connection" in told["cannot_look"]


def test_a_name_that_no_check_has_is_refused(visit: Visit):
    with pytest.raises(ConfigurationError, match="check 'sanpshots': there is none of this name"):
        examine(visit.url, only=["sanpshots"])


def test_the_checks_are_listed(shell: Shell):
    shown = shell.quick("doctor", "--list").stdout
    assert [line.split()[0] for line in shown.splitlines()] == list(checks())


def test_what_is_locked_keeps_nobody_from_looking_at_the_rest(visit: Visit):
    visit.rows("ALTER TABLE jobqueue.dead_letters SET (autovacuum_enabled = off)")
    with visit.other() as holder:
        holder.execute("LOCK TABLE jobqueue.jobs")
        report = visit.report()
        assert {name for name, _ in report.unseen} == {"bloat", "queues", "tasks", "waiting"}
        assert [name for name, _ in report.problems] == ["autovacuum"]
        visit.limits = replace(QUICK, statement_seconds=0.05)
        [(_, unseen)] = visit.report("queues").unseen
        assert unseen.reason == "no answer within 0.05 s, or what it reads is locked"


def test_a_role_that_may_only_read_is_told_what_it_does_not_see(visit: Visit):
    with connected_as(visit.url, Purpose.READ) as reader, visit.other():
        parameters = reader.info.get_parameters() | {"password": reader.info.password}
        url = psycopg.conninfo.make_conninfo("", **parameters)
        report = examine(url, limits=QUICK)
        unseen = dict(report.unseen)
        assert report.problems == []
        assert not report.healthy
        assert "sessions of other roles are hidden" in unseen["snapshots"].reason
        visit.rows(unseen["snapshots"].remedy)
        assert "may not look" in unseen["waiting"].reason
        assert set(unseen) == {"snapshots", "waiting"}
        assert {name for name, _ in examine(url, limits=QUICK).unseen} == {"waiting"}


def test_a_check_goes_on_after_its_connection_was_lost(visit: Visit, monkeypatch):
    ended = []

    def look(patient):
        pid = patient.connection.info.backend_pid
        ended.append(pid)
        visit.rows("SELECT pg_terminate_backend(%s)", [pid])
        return patient.run(stats.now())

    chosen = {**checks(), "bloat": replace(checks()["bloat"], look=look)}
    monkeypatch.setattr("jobqueue.doctor.examination.checks", lambda: chosen)
    report = visit.report()
    assert len(ended) == 1
    assert [name for name, _ in report.unseen] == ["bloat"]
    assert len(report.results) == len(chosen)
