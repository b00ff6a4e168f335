"""What tests of batches share: an item, and a worker that runs until all is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobqueue import JobQueue, Retry
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

ONCE = Retry(attempts=1)


@dataclass
class Item:
    number: int
    word: str = "word"


def drain(books: Books, jobs: JobQueue, **settings: Any) -> None:
    """Run a worker until every job has ended."""

    async def scenario() -> None:
        async with running(jobs, books.url, **settings):
            await auntil(lambda: books.unfinished() == 0, what="all have ended")

    play(scenario())
