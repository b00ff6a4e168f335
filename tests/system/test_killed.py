"""A worker is killed or frozen in the middle of its work; others finish it."""

from __future__ import annotations

import signal

import psycopg
import pytest

from jobqueue.store.database import to_conninfo
from tests.system.processes import Crew
from tests.waiting import until
from tests.worker.books import Books

JOBS = 1500


def enqueue(books: Books, task: str, numbers: range) -> None:
    books.rows(
        "SELECT jobqueue.enqueue_many_v1(%s, "
        "(SELECT jsonb_agg(jsonb_build_object('number', n)) FROM generate_series(%s::int, %s) n))",
        [task, numbers.start, numbers.stop - 1],
    )


@pytest.mark.parametrize("task", ["count", "count_in_a_thread"])
def test_a_killed_worker_loses_no_job(books: Books, crew: Crew, task: str) -> None:
    enqueue(books, task, range(JOBS))
    victim = crew.start(books.url, "--lease", "2s")
    until(lambda: len(crew.runs()) > 200, what="the worker is in the middle of it")
    victim.signal(signal.SIGKILL)
    assert victim.exit_code() == -signal.SIGKILL
    done_by_victim = books.states()["completed"]
    assert 0 < done_by_victim < JOBS

    heir = crew.start(books.url, "--lease", "2s")
    until(lambda: books.unfinished() == 0, what="another worker finishes everything")
    assert books.states() == {"completed": JOBS}
    runs = crew.runs()
    assert set(runs) == {str(number) for number in range(JOBS)}
    # Twice ran at most what the victim had begun: its ten slots, and what it had not yet recorded.
    repeated = {word for word, times in runs.items() if times > 1}
    lost = books.rows(
        "SELECT args ->> 'number', errors -> 0 ->> 'error' FROM jobqueue.job_history "
        "WHERE attempt > 1"
    )
    assert repeated <= {number for number, _ in lost}
    assert max(runs.values()) <= 2
    assert {error for _, error in lost} == {"WorkerLost"}
    assert heir.stop() == 0


def test_workers_killed_again_and_again_lose_no_job(books: Books, crew: Crew) -> None:
    enqueue(books, "count", range(JOBS))
    for part in range(1, 4):
        victim = crew.start(books.url, "--lease", "1s")
        until(lambda at=part * 300: len(crew.runs()) > at, what="more jobs run")
        victim.signal(signal.SIGKILL)
    crew.start(books.url, "--lease", "1s")
    until(lambda: books.unfinished() == 0, what="the last worker finishes everything")
    assert books.states() == {"completed": JOBS}
    assert set(crew.runs()) == {str(number) for number in range(JOBS)}


def test_two_workers_share_the_work_and_run_each_job_once(books: Books, crew: Crew) -> None:
    first, second = crew.start(books.url), crew.start(books.url)
    until(
        lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 2, what="both are at work"
    )
    enqueue(books, "count", range(JOBS))
    until(lambda: books.unfinished() == 0, what="all jobs end")
    by_worker = {pid for pid, _ in crew.notes()}
    assert by_worker == {first.pid, second.pid}
    assert set(crew.runs().values()) == {1}
    assert len(crew.runs()) == JOBS
    assert (first.stop(), second.stop()) == (0, 0)
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0


def test_a_job_that_kills_its_worker_ends_as_a_dead_letter(books: Books, crew: Crew) -> None:
    job_id = books.value(
        "SELECT job_id FROM jobqueue.enqueue_v1("
        "'deadly', '{\"word\": \"boom\"}', max_attempts => 2)"
    )
    for _ in range(2):
        victim = crew.start(books.url, "--lease", "1s")
        assert victim.exit_code() == -signal.SIGKILL
    survivor = crew.start(books.url, "--lease", "1s")
    until(lambda: books.state(job_id) == "dead", what="the job is a dead letter")
    errors = books.job(job_id).errors or []
    assert [error["error"] for error in errors] == ["WorkerLost", "WorkerLost"]
    assert crew.runs() == {"boom": 2}
    assert survivor.stop() == 0


def test_an_error_whose_text_would_end_the_process_ends_only_its_job(
    books: Books, crew: Crew
) -> None:
    job_id = books.value(
        "SELECT job_id FROM jobqueue.enqueue_v1("
        "'unreadable', '{\"word\": \"boom\"}', max_attempts => 1)"
    )
    worker = crew.start(books.url)
    until(
        lambda: books.state(job_id) == "dead" or worker.process.poll() is not None,
        what="the job or the worker ends",
    )
    assert books.state(job_id) == "dead"
    enqueue(books, "count", range(5))
    until(lambda: books.unfinished() == 0, what="its neighbours complete")
    assert worker.stop() == 0


@pytest.mark.parametrize("leading", ["the frozen worker", "another worker"])
def test_a_frozen_workers_jobs_are_run_elsewhere_and_its_late_word_is_refused(
    books: Books, crew: Crew, leading: str
) -> None:
    lease = ["--lease", "1s"]
    if leading == "another worker":
        leader = crew.start(books.url, *lease, "--queue", "elsewhere")
        until(lambda: "leader: this worker" in leader.log, what="another worker leads")
    job_id = books.value(
        """SELECT job_id FROM jobqueue.enqueue_v1('until_told', '{"word": "work"}')"""
    )
    frozen = crew.start(books.url, *lease)
    until(lambda: crew.runs()["work"] == 1, what="the job runs")
    if leading == "the frozen worker":
        until(lambda: "leader: this worker" in frozen.log, what="it leads")
    frozen.signal(signal.SIGSTOP)
    try:
        other = crew.start(books.url, *lease)
        until(lambda: crew.runs()["work"] == 2, what="another worker runs it")
        crew.go_on()
        until(lambda: books.state(job_id) == "completed", what="and completes it")
    finally:
        frozen.signal(signal.SIGCONT)
    until(lambda: "changed nothing" in frozen.log, what="the late word is refused")
    until(lambda: "its lease expired" in frozen.log, what="it enters the books anew")
    record = books.job(job_id)
    assert (record.state, record.attempt) == ("completed", 2)

    assert other.stop() == 0
    enqueue(books, "count", range(50))
    until(lambda: books.unfinished() == 0, what="the thawed worker works again")
    assert frozen.stop() == 0


def test_who_starts_where_a_worker_died_takes_its_jobs_back_at_once(
    books: Books, crew: Crew
) -> None:
    """As under a supervisor; the lease is far longer than the test may take."""
    for word in ("one", "two"):
        books.rows("SELECT jobqueue.enqueue_v1('until_told', %s)", [f'{{"word": "{word}"}}'])
    victim = crew.start(books.url, "--lease", "300s")
    until(lambda: crew.runs() == {"one": 1, "two": 1}, what="both run")
    bystander = crew.start(books.url, "--lease", "300s", "--queue", "elsewhere")
    until(lambda: "serves" in bystander.log, what="another worker lives here")
    victim.signal(signal.SIGKILL)
    assert victim.exit_code() == -signal.SIGKILL

    heir = crew.start(books.url, "--lease", "300s")
    until(lambda: crew.runs() == {"one": 2, "two": 2}, what="its heir runs them")
    crew.go_on()
    until(lambda: books.unfinished() == 0, what="and completes them")
    lost = books.rows("SELECT attempt, errors -> 0 ->> 'error' FROM jobqueue.job_history")
    assert lost == [(2, "WorkerLost")] * 2
    assert "workers that died here" in heir.log
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 2
    assert (heir.stop(), bystander.stop()) == (0, 0)


def test_an_heir_starts_though_a_job_it_would_take_back_is_locked(books: Books, crew: Crew) -> None:
    books.rows("""SELECT jobqueue.enqueue_v1('until_told', '{"word": "held"}')""")
    victim = crew.start(books.url, "--lease", "300s")
    until(lambda: crew.runs()["held"] == 1, what="it runs")
    with psycopg.connect(to_conninfo(books.url)) as holder:
        holder.execute("SELECT FROM jobqueue.jobs FOR UPDATE")
        victim.signal(signal.SIGKILL)
        assert victim.exit_code() == -signal.SIGKILL
        heir = crew.start(books.url, "--lease", "300s")
        enqueue(books, "count", range(3))
        until(lambda: crew.runs()["2"] == 1, what="the heir is at work")
        assert "left to the leader" in heir.log
    until(lambda: crew.runs()["held"] == 2, what="the leader has taken it back")
    crew.go_on()
    until(lambda: books.unfinished() == 0, what="all is done")
    assert heir.stop() == 0
