"""Settings, connections and clocks of the server, and the way to it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from jobqueue.doctor.check import checks
from jobqueue.doctor.patient import Patient
from jobqueue.store import workers
from jobqueue.store.database import to_conninfo
from jobqueue.store.statement import run
from tests.doctor.visit import QUICK, Visit
from tests.waiting import until


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_setting_that_loses_commits_is_named(visit: Visit, setting: str):
    visit.rows(f"ALTER SYSTEM SET {setting} = off")
    visit.rows("SELECT pg_reload_conf()")
    try:
        until(visit.problems, what="it is in force")
        found = visit.problem("durability")
        assert found.what.startswith(f"{setting} is off: ")
        visit.obey(found)
        visit.healed()
    finally:
        visit.rows(f"ALTER SYSTEM RESET {setting}")
        visit.rows("SELECT pg_reload_conf()")


def test_a_setting_of_another_role_that_loses_commits_is_named(visit: Visit):
    visit.rows('CREATE ROLE "Loader of files"')
    try:
        visit.rows('ALTER ROLE "Loader of files" SET synchronous_commit = off')
        found = visit.problem("durability")
        assert "for role 'Loader of files'" in found.what
        visit.obey(found)
        visit.healed()
    finally:
        visit.rows('DROP ROLE "Loader of files"')


def test_a_setting_of_the_database_that_loses_commits_is_named_once(visit: Visit):
    name = sql.Identifier(visit.connection.info.dbname).as_string()
    visit.rows(f"ALTER DATABASE {name} SET synchronous_commit = off")
    found = visit.problem("durability")
    assert "for database" in found.what
    visit.obey(found)
    visit.healed()


def test_connections_near_the_limit_of_the_server_are_named_with_who_has_them(visit: Visit):
    visit.limits = replace(QUICK, connections=0.2)
    with ExitStack() as stack:
        for _ in range(25):
            stack.enter_context(
                psycopg.connect(to_conninfo(visit.url, application_name="a greedy one"))
            )
        found = visit.problem("connections")
        assert "connections of the server" in found.what
        assert found.evidence["used"] > 0.2 * found.evidence["limit"]
        assert found.evidence["most"]["a greedy one"] == 25
    visit.healed()


def test_connections_near_the_limit_of_the_database_are_named(visit: Visit):
    name = sql.Identifier(visit.connection.info.dbname).as_string()
    visit.rows(f"ALTER DATABASE {name} CONNECTION LIMIT 2")
    found = visit.problem("connections")
    assert found.evidence["of"] == "database"
    visit.obey(found)
    visit.obey(visit.problem("connections")) if visit.problems() else None
    visit.healed()


@pytest.mark.parametrize(("ahead", "word"), [(30.0, "ahead of"), (-30.0, "behind")])
def test_a_clock_that_is_apart_is_named(visit: Visit, ahead: float, word: str):
    patient = Patient(visit.url, QUICK, wall_clock=lambda: time.time() + ahead)
    try:
        [found] = checks()["clocks"].look(patient)
    finally:
        patient.close()
    assert f"30.0 s {word} the server's" in found.what
    assert found.evidence["ahead_seconds"] == pytest.approx(ahead, abs=1.0)


@pytest.mark.parametrize(("ahead", "word"), [(30.0, "ahead of"), (-30.0, "behind")])
def test_the_clock_of_a_worker_that_is_apart_is_named(visit: Visit, ahead: float, word: str):
    visit.worker("default")
    worker = visit.value("SELECT id FROM jobqueue.workers")

    def beat(clock: float) -> None:
        beat = workers.heartbeat(worker, lease_seconds=60, draining=False, clock=clock)
        run(visit.execute, beat)

    with visit.led():
        beat(time.time() + ahead)
        found = visit.problem("clocks")
        assert found.what.startswith("the clock of worker vm:1, on vm, is ")
        assert f" s {word} the server's" in found.what
        beat(time.time())
        visit.healed()
