"""A rate on machines whose clocks disagree: what counts is the database's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.processes import Crew
from tests.waiting import until
from tests.worker.books import Books
from tests.worker.limits_kept import Ran, check_rate

SHIFTED_CLOCK = Path(__file__).parents[1] / "chaos" / "shifted_clock"
SHIFTS = (0, 3600, -600)
AMOUNT = 40
SECONDS = 4

APPLICATION = """
import os
from pathlib import Path

from jobqueue import JobQueue, RateLimit
from jobqueue.client.context import current_attempt

jobs = JobQueue()
HERE = Path(__file__).parent


@jobs.task(rate_limit=RateLimit("api", 40, burst=5))
async def work(number: int) -> None:
    # What a start counts from; all processes of a machine share this clock, which nobody can set.
    began = current_attempt.get().began
    file = os.open(HERE / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.getpid()} {number} {began}\\n".encode())
    os.close(file)

"""


def test_a_rate_is_kept_by_workers_whose_clocks_are_wrong(
    books: Books, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    (crew.folder / "app.py").write_text(APPLICATION)
    monkeypatch.setenv("PYTHONPATH", str(SHIFTED_CLOCK))
    for shift in SHIFTS:
        monkeypatch.setenv("CHAOS_CLOCK_SHIFT_SECONDS", str(shift))
        crew.start(books.url)
    until(lambda: books.value("SELECT count(*) FROM jobqueue.workers") == 3, what="all work")
    books.rows(
        "SELECT jobqueue.enqueue_gated_v1('work', (SELECT jsonb_agg(jsonb_build_object('number',"
        " n)) FROM generate_series(1, %s) AS n), 'default', 5, NULL, NULL, 20, NULL, NULL, '1 day',"
        " NULL, 'skip', NULL, NULL, NULL, NULL, 'api', NULL, NULL)",
        [AMOUNT * SECONDS],
    )
    until(lambda: books.unfinished() == 0, what="all jobs end", seconds=60)
    ran = [
        Ran(int(number), "", float(began), float(began))
        for number, began in (words.split(" ") for _, words in crew.notes())
    ]
    assert sorted(one.job for one in ran) == list(range(1, AMOUNT * SECONDS + 1))
    check_rate(ran, amount=AMOUNT, per=1.0)
    # Nobody sat out moments that had not come or were long past by its own clock.
    assert len({pid for pid, _ in crew.notes()}) == len(SHIFTS)
    began = [one.began for one in ran]
    assert max(began) - min(began) < SECONDS * 1.5
