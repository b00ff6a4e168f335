"""An error that the database will not take costs its text, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jobqueue import JobQueue, Retry
from jobqueue.core.outcome import describe
from jobqueue.worker import acker
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running


def with_nul(error: BaseException, secrets: Sequence[str] = ()) -> dict[str, str]:
    """Describe an error as `describe` would if it forgot what jsonb cannot hold."""
    message = f"{error}\x00" if "unkept" in str(error) else str(error)
    return describe(error, secrets) | {"message": message}


@pytest.mark.parametrize("attempts", [1, 2])
def test_what_the_database_will_not_take_is_left_out_and_the_others_are_kept(
    books: Books, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr(acker, "describe", with_nul)
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=attempts, backoff=lambda _: 3_600))
    async def fail(word: str) -> None:
        raise ValueError(word)

    words = ["kept"] * 5 + ["unkept"] + ["kept"] * 5

    async def scenario() -> None:
        async with running(jobs, books.url):
            await auntil(
                lambda: (
                    books.value("SELECT count(*) FROM jobqueue.all_jobs WHERE errors <> '[]'")
                    == len(words)
                ),
                what="every failure is in the books",
            )

    fail.enqueue_many(books.connection, [{"word": word} for word in words])
    play(scenario())
    first = "errors -> 0 ->> 'error', errors -> 0 ->> 'message'"
    errors = books.rows(f"SELECT {first} FROM jobqueue.all_jobs")
    assert errors.count(("ValueError", "kept")) == 10
    [(kind, message)] = [one for one in errors if one[0] != "ValueError"]
    assert (kind, "was refused" in message) == ("Unrecorded", True)
