"""Workers that are replaced: for the memory they use, and when the code is changed."""

from __future__ import annotations

from tests.system.processes import Crew
from tests.system.supervising import MORE, Start, enqueue, start, write_application
from tests.waiting import until
from tests.worker.books import Books

__all__ = ["start"]  # a fixture


def test_a_worker_that_uses_too_much_memory_finishes_its_jobs_and_is_replaced(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--max-memory", "140MB")
    [pid] = supervisor.all_work(1)
    jobs = [enqueue(books, "until_told", "work")]
    until(lambda: crew.runs()["work"] == 1, what="a job runs")
    jobs.append(enqueue(books, "grow", "leak"))
    until(lambda: "of memory, more than 140 MB" in supervisor.log, what="it is too much")
    crew.go_on()
    until(lambda: books.unfinished() == 0, what="both jobs end")
    assert crew.notes()[-1] == (pid, "leak finished")
    assert [books.job(job).attempt for job in jobs] == [1, 1]
    assert len(set(supervisor.all_work(2))) == 2
    assert f"worker 1 (pid {pid}) ended with exit code 0; starting another" in supervisor.log
    enqueue(books, "look_around", "again")
    until(lambda: crew.runs()["again"] == 1, what="the new one works")
    assert supervisor.stop() == 0


def test_changed_code_starts_the_workers_again(books: Books, crew: Crew, start: Start) -> None:
    supervisor = start("--reload", "--processes", "2", "--grace", "5m")
    supervisor.all_work(2)
    job = enqueue(books, "until_told", "work")
    until(lambda: crew.runs()["work"] == 1, what="a job runs")
    write_application(crew.folder, more=MORE.replace('", word))', '", f"{word} in new code"))'))
    supervisor.all_work(4)
    assert "changed: app.py" in supervisor.log
    assert supervisor.log.count("with 1 s to finish") == 2, "as it is, whatever --grace says"
    until(lambda: crew.runs()["work"] == 2, what="the job was interrupted, and runs again")
    enqueue(books, "look_around", "seen")
    until(lambda: crew.runs()["seen in new code"] == 1, what="the new code runs")
    crew.go_on()
    until(lambda: books.state(job) == "completed", what="the job completes")
    assert books.job(job).attempt == 1
    for word in ("starting another", "waiting for a change"):
        assert word not in supervisor.log, "nothing is wrong"
    assert supervisor.stop() == 0
    assert supervisor.log.count("with 300 s to finish") == 2, "when it is told to stop for good"


def test_code_that_does_not_start_is_waited_for_until_it_is_mended(
    books: Books, crew: Crew, start: Start
) -> None:
    supervisor = start("--reload", "--processes", "2")
    supervisor.all_work(2)
    (crew.folder / "app.py").write_text("def broken(:\n")
    until(lambda: "waiting for a change of the code" in supervisor.log, what="it waits")
    assert supervisor.log.count("error: application 'app:jobs': module 'app' fails") == 1
    write_application(crew.folder)
    supervisor.all_work(4)
    assert supervisor.stop() == 0
