"""A job on its way through the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobqueue.store.claims import Claimed
from jobqueue.worker.processes.messages import Outcome

if TYPE_CHECKING:
    from jobqueue.worker.processes.child_process import ChildProcess


class ProcessDied(Exception):
    """The process that ran a job died with it.

    tail: the last lines that came out of it, as those that Python writes when it crashes.
    """

    def __init__(self, how: str, tail: Iterable[str]) -> None:
        super().__init__(f"the process running it {how}")
        if text := "\n".join(tail):
            self.add_note(f"the last that it printed:\n{text}")


@dataclass(eq=False, slots=True)
class Call:
    """A job that somebody waits for.

    child, number: where it is, and under which number, if it was sent to a child.
    on_time_until: it has a moment, which is over then.
    begins_until: the child does not begin it later than this, by `clock`.
    how: it ended, once it has.
    """

    job: Claimed
    wants_result: bool
    ended: asyncio.Future[None]
    on_begin: Callable[[], None] | None
    on_progress: Callable[[float, str], None] | None
    on_time_until: float | None = None
    child: ChildProcess | None = None
    number: int = 0
    begins_until: float | None = None
    expected_seconds: float = 0.0
    how: Outcome | ProcessDied | None = None

    def end(self, how: Outcome | ProcessDied) -> None:
        """Note how it ended, and wake who waits for that."""
        self.how = how
        if not self.ended.done():
            self.ended.set_result(None)

    def outcome(self) -> Outcome:
        """Give how it ended. Raises ProcessDied."""
        assert self.how is not None  # noqa: S101 - asked when `ended` is done
        if isinstance(self.how, ProcessDied):
            raise self.how
        return self.how

    def progress(self, fraction: float, text: str) -> None:
        """Say how far it is."""
        if self.on_progress is not None:
            self.on_progress(fraction, text)
