"""A leader that falls in each step of a tick, killed or stopped: each tick has one job."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.system.processes import Crew
from tests.system.ticking import each_second_had_one_job, leader, passed, schedule
from tests.waiting import until
from tests.worker.books import Books

STEPPING = Path(__file__).parent / "stepping"
STEPS = (
    "schedules/due before",
    "schedules/due after",
    "schedules/advance before",
    "schedules/advance after",
    "schedules/next after",
)
# A stopped leader's session ends after three seconds, and candidates ask every four.
FALLEN_SECONDS = 60


def falling(crew: Crew, monkeypatch: pytest.MonkeyPatch, url: str, by: str) -> list[Path]:
    """Start a worker for each step, in which it falls once it leads; give what they touch then."""
    monkeypatch.setenv("PYTHONPATH", str(STEPPING))
    monkeypatch.setenv("FALL_BY", by)
    notes: list[Path] = []
    for number, step in enumerate(STEPS):
        notes.append(crew.folder / f"fallen {number}")
        monkeypatch.setenv("FALL_AT", step)
        monkeypatch.setenv("FALL_NOTE", str(notes[-1]))
        crew.start(url, "--lease", "3s")
    monkeypatch.delenv("FALL_AT")
    return notes


@pytest.mark.parametrize("by", ["SIGKILL", "SIGSTOP"])
def test_a_leader_may_fall_in_any_step_of_a_tick(
    books: Books, crew: Crew, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    schedule(books)
    notes = falling(crew, monkeypatch, books.url, by)
    until(
        lambda: all(note.exists() for note in notes),
        what="each has led, and fallen",
        seconds=FALLEN_SECONDS,
    )
    fallen = list(crew.workers)
    crew.start(books.url, "--lease", "3s")
    until(lambda: leader(books, crew) not in fallen, what="the last one leads", seconds=15)
    passed(books, 2)
    if by == "SIGSTOP":
        # They go on with what they had found, planned or heard before.
        for worker in fallen:
            worker.signal(signal.SIGCONT)
        passed(books, 3)
    each_second_had_one_job(books)


def test_a_leader_killed_while_the_server_carries_a_tick_out(books: Books, crew: Crew) -> None:
    """The statement waits for a lock when its leader dies; it is done all the same."""
    first = crew.start(books.url, "--lease", "3s")
    schedule(books)
    passed(books, 2)
    with books.connection.transaction():
        books.rows("LOCK TABLE jobqueue.schedule_ticks IN SHARE MODE")
        until(
            lambda: books.value(
                "SELECT count(*) FROM pg_locks WHERE NOT granted "
                "AND relation = 'jobqueue.schedule_ticks'::regclass"
            ),
            what="the leader waits in the middle of a tick",
        )
        first.signal(signal.SIGKILL)
        first.exit_code()
        crew.start(books.url, "--lease", "3s")
    passed(books, 3)
    each_second_had_one_job(books)


def test_a_session_that_ends_while_the_server_carries_a_tick_out(books: Books, crew: Crew) -> None:
    """As when the server fails over: the tick is undone, and decided about anew."""
    crew.start(books.url, "--lease", "3s")
    schedule(books)
    passed(books, 2)
    with books.connection.transaction():
        books.rows("LOCK TABLE jobqueue.schedule_ticks IN SHARE MODE")
        pid = until(
            lambda: books.rows(
                "SELECT pid FROM pg_locks WHERE NOT granted "
                "AND relation = 'jobqueue.schedule_ticks'::regclass"
            ),
            what="the leader waits in the middle of a tick",
        )[0][0]
        books.rows("SELECT pg_terminate_backend(%s)", [pid])
    passed(books, 3)
    each_second_had_one_job(books)
