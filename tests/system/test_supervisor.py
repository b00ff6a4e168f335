"""Several workers from one command: they share the work, and another comes for each that dies."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.system.processes import Crew
from tests.system.supervising import KILL_ITSELF, Start, enqueue, start
from tests.waiting import until
from tests.worker.books import Books

# Far longer than a test may take.
LEASE = ("--lease", "300s")
NOBODY_THERE = "postgresql://127.0.0.1:1/nothing"

__all__ = ["start"]  # a fixture


def test_several_workers_share_the_work(books: Books, crew: Crew, start: Start) -> None:
    supervisor = start(environment={"JOBQUEUE_PROCESSES": "3"})
    pids = supervisor.all_work(3)
    names = books.rows("SELECT name FROM jobqueue.workers")
    assert len(set(names)) == 3
    books.rows(
        "SELECT jobqueue.enqueue_many_v1('count', "
        "(SELECT jsonb_agg(jsonb_build_object('number', n)) FROM generate_series(1, 1500) n))"
    )
    until(lambda: books.unfinished() == 0, what="all jobs end")
    assert {pid for pid, _ in crew.notes()} == set(pids)
    assert crew.runs() == {str(number): 1 for number in range(1, 1501)}
    assert supervisor.pid not in pids

    assert supervisor.stop() == 0
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    # One log, in which every line says whose it is.
    whose = [
        re.match(r"\S+Z \[(supervisor|worker [123]) (\d+)\] [A-Z]+ ", line)
        for line in supervisor.log.splitlines()
    ]
    assert all(whose)
    assert {int(one[2]) for one in whose if one} == {supervisor.pid, *pids}


def test_a_killed_worker_is_replaced_and_its_job_runs_again_at_once(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--processes", "2", *LEASE)
    supervisor.all_work(2)
    job = enqueue(books, "until_told", "work")
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    [(victim, _)] = crew.notes()
    os.kill(victim, signal.SIGKILL)
    until(lambda: crew.runs()["work"] == 2, what="it runs again", seconds=10)
    crew.go_on()
    until(lambda: books.state(job) == "completed", what="it completes")
    assert books.job(job).attempt == 2
    assert re.search(
        rf"worker \d \(pid {victim}\) was killed by SIGKILL; starting another$",
        supervisor.log,
        re.MULTILINE,
    )
    assert len(set(supervisor.all_work(3))) == 3
    assert supervisor.stop() == 0


@pytest.mark.parametrize("spoiled", [KILL_ITSELF, "raise RuntimeError('spoiled')"])
def test_a_neighbour_has_the_jobs_of_one_that_cannot_be_replaced(
    books: Books, crew: Crew, start: Start, spoiled: str
) -> None:
    supervisor = start("--processes", "2", *LEASE)
    pids = supervisor.all_work(2)
    job = enqueue(books, "until_told", "work")
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    [(victim, _)] = crew.notes()
    (crew.folder / "at_start").write_text(spoiled)
    os.kill(victim, signal.SIGKILL)
    until(lambda: crew.runs()["work"] == 2, what="the neighbour runs it", seconds=10)
    [neighbour] = set(pids) - {victim}
    assert crew.notes()[-1] == (neighbour, "work")
    until(lambda: "starting another in 2 s" in supervisor.log, what="its starts are spread out")
    crew.go_on()
    until(lambda: books.state(job) == "completed", what="it completes")
    (crew.folder / "at_start").unlink()
    supervisor.all_work(3)
    assert supervisor.stop() == 0


def test_the_first_worker_is_tried_alone_and_less_and_less_often_while_it_dies_at_its_start(
    crew: Crew, start: Start
) -> None:
    (crew.folder / "at_start").write_text(f"note('tried')\n{KILL_ITSELF}")
    supervisor = start("--processes", "2")
    until(lambda: "another in 2 s" in supervisor.log, what="it has died three times")
    assert re.findall(r"(\w+ \d) \(pid \d+\) was killed by SIGKILL; (.*)", supervisor.log) == [
        ("worker 1", "starting another"),
        ("worker 1", "starting another in 1 s"),
        ("worker 1", "starting another in 2 s"),
    ]
    assert crew.runs()["tried"] == 3
    supervisor.signal(signal.SIGTERM)
    assert supervisor.exit_code(seconds=5) == 0


@pytest.mark.parametrize(
    ("application", "code", "said"),
    [
        ("nowhere:jobs", 2, "no module named 'nowhere'"),
        ("app:job", 2, "module 'app' has no 'job'"),
        ("app:jobs", 3, "no connection within 0.1 s"),
    ],
)
def test_what_no_restart_mends_is_said_once_and_ends_it(
    start: Start, application: str, code: int, said: str
) -> None:
    options = ("--processes", "3", "--connect-timeout", "100ms")
    supervisor = start(*options, application=application, url=NOBODY_THERE)
    assert supervisor.exit_code() == code
    [line] = [line for line in supervisor.log.splitlines() if line.startswith("error:")]
    assert said in line
    assert "starting another" not in supervisor.log
    assert "Traceback" not in supervisor.log


def test_a_database_without_the_schema_ends_it(start: Start, empty_database_url: str) -> None:
    supervisor = start("--processes", "2", url=empty_database_url)
    assert supervisor.exit_code() == 4
    assert supervisor.log.count("jobqueue migrate") == 1


@pytest.mark.parametrize(
    ("number", "to"),
    [
        (signal.SIGTERM, "the supervisor"),
        (signal.SIGTERM, "everyone"),
        (signal.SIGINT, "everyone"),
    ],
)
def test_a_signal_lets_the_jobs_of_all_workers_finish(
    books: Books, crew: Crew, start: Start, number: signal.Signals, to: str
) -> None:
    """However many of the processes get it: a terminal's Ctrl-C reaches them all."""
    jobs = [enqueue(books, "until_told", f"job {n}") for n in range(2)]
    supervisor = start("--processes", "2", "--queue", "default=1")
    until(lambda: len(crew.runs()) == 2, what="each worker runs a job")
    supervisor.signal_all(number) if to == "everyone" else supervisor.signal(number)
    until(lambda: supervisor.log.count("1, with 30 s to finish") == 2, what="both drain")
    crew.go_on()
    assert supervisor.exit_code() == 0
    assert [books.state(job) for job in jobs] == ["completed"] * 2
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    assert "starting another" not in supervisor.log
    assert "Traceback" not in supervisor.log


def test_a_signal_while_the_first_worker_starts_ends_it_quietly(crew: Crew, start: Start) -> None:
    (crew.folder / "at_start").write_text("note('starting'); time.sleep(300)")
    supervisor = start("--processes", "2")
    until(lambda: crew.runs()["starting"] == 1, what="the first worker imports the application")
    supervisor.signal_all(signal.SIGINT)
    assert supervisor.exit_code(seconds=10) == 0
    assert "Traceback" not in supervisor.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_to_a_worker_is_left_to_the_supervisor(
    crew: Crew, start: Start, number: signal.Signals
) -> None:
    (crew.folder / "at_start").write_text(
        "note('starting')\nwhile not (HERE / 'go_on').exists(): time.sleep(0.01)"
    )
    supervisor = start("--processes", "2")
    until(lambda: crew.runs()["starting"] == 1, what="the first worker imports the application")
    [(pid, _)] = crew.notes()
    os.kill(pid, number)
    crew.go_on()
    assert supervisor.all_work(2)[0] == pid
    os.kill(pid, number)
    assert supervisor.stop() == 0
    assert "starting another" not in supervisor.log


def test_a_second_signal_skips_the_wait(books: Books, crew: Crew, start: Start) -> None:
    job = enqueue(books, "until_told", "work")
    supervisor = start("--processes", "2", "--grace", "5m")
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    supervisor.signal(signal.SIGTERM)
    until(lambda: "with 300 s to finish" in supervisor.log, what="it drains")
    supervisor.signal(signal.SIGTERM)
    assert supervisor.exit_code(seconds=10) == 5
    assert (books.state(job), books.job(job).attempt) == ("available", 0)


def test_the_workers_of_a_killed_supervisor_finish_their_jobs_and_end(
    books: Books, crew: Crew, start: Start
) -> None:
    jobs = [enqueue(books, "until_told", f"job {n}") for n in range(2)]
    supervisor = start("--processes", "2", "--queue", "default=1")
    until(lambda: len(crew.runs()) == 2, what="each worker runs a job")
    supervisor.signal(signal.SIGKILL)
    assert supervisor.exit_code() == -signal.SIGKILL
    until(lambda: supervisor.log.count("its supervisor is gone") == 2, what="both notice")
    crew.go_on()
    until(lambda: supervisor.log.count("INFO stopped") == 2, what="both end")
    assert [books.state(job) for job in jobs] == ["completed"] * 2
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0


def test_sighup_puts_a_new_worker_in_the_place_of_each(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--processes", "2")
    old = supervisor.all_work(2)
    job = enqueue(books, "until_told", "work")
    until(lambda: crew.runs()["work"] == 1, what="a job runs")
    supervisor.signal(signal.SIGHUP)
    until(lambda: "stopping; jobs running" in supervisor.log, what="the first one drains")
    crew.go_on()
    until(lambda: "all workers are new" in supervisor.log, what="all are new")
    assert (books.state(job), crew.runs()["work"]) == ("completed", 1)
    assert len({*old, *supervisor.working()}) == 4
    # One after the other: nobody left before the one in front had its successor.
    # Each process writes for itself: what was said first is told by its moment.
    log = "\n".join(sorted(supervisor.log.splitlines()))
    said = re.findall(r"makes room|(?<=INFO )worker \S+: serves", log)[2:]
    assert [("serves" in one) for one in said] == [False, True, False, True]
    assert supervisor.stop() == 0


def test_sighup_changes_nothing_when_the_first_new_worker_cannot_start(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--processes", "2")
    pids = supervisor.all_work(2)
    (crew.folder / "at_start").write_text("raise RuntimeError('spoiled')")
    supervisor.signal(signal.SIGHUP)
    until(lambda: "did not start again" in supervisor.log, what="it gives up")
    enqueue(books, "look_around", "still here")
    until(lambda: crew.runs()["still here"] == 1, what="the other works on")
    assert crew.notes() == [(pids[1], "still here")]
    assert supervisor.stop() == 0


def test_a_worker_that_is_told_to_stop_by_hand_is_replaced(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--processes", "2")
    pids = supervisor.all_work(2)
    os.kill(pids[0], signal.SIGTERM)
    until(lambda: f"(pid {pids[0]}) ended with exit code 0" in supervisor.log, what="it ends")
    supervisor.all_work(3)
    assert supervisor.stop() == 0


def test_what_a_job_starts_is_not_taken_for_a_worker_of_the_supervisor(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--processes", "2")
    supervisor.all_work(2)
    enqueue(books, "look_around", "nothing told")
    until(lambda: books.unfinished() == 0, what="the job ends")
    assert crew.runs() == {"nothing told": 1}
    assert supervisor.stop() == 0
