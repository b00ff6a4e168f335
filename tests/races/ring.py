"""Two sessions that meet at one job: the first acts in a transaction that stays open meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

import psycopg
from psycopg import sql

from jobqueue.store.database import session_settings, to_conninfo
from tests import waiting
from tests.conftest import TABLES
from tests.store.steps import do

DEADLINE_SECONDS = 20.0

EFFECTS = "CREATE TABLE IF NOT EXISTS public.effects (job_id uuid NOT NULL)"


class Fate(StrEnum):
    """What happens to the second statement while the first one's transaction is open."""

    WAITS = "waits"
    """for the first to end"""
    PASSES = "passes"
    """answers at once: it skipped what is locked, or nothing it wants is"""
    GIVES_UP = "gives up"
    """waits a little, and then says that it will come again"""
    EITHER = "waits or passes"
    """what it is told is what counts"""


class Meeting(NamedTuple):
    """What each of the two was told."""

    first: str
    second: str


class Ring(NamedTuple):
    """The sessions `left` and `right` meet; `looker` prepares, and looks on."""

    left: psycopg.Connection
    right: psycopg.Connection
    looker: psycopg.Connection

    def clear(self) -> None:
        """Delete every row, and the partitions of days gone by."""
        for table in TABLES:
            self.looker.execute(sql.SQL("DELETE FROM jobqueue.{}").format(sql.Identifier(table)))
        self.looker.execute("DELETE FROM public.effects")
        waiting.until(self._tidied, what="nobody is in the way of the partitions")

    def _tidied(self) -> bool:
        """Bring the partitions back; an autovacuum may be in the way for a moment."""
        try:
            self.looker.execute("SELECT jobqueue.drop_history_partitions(now())")
            self.looker.execute("SELECT jobqueue.make_history_partitions()")
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    def blockers(self, session: psycopg.Connection) -> list[int]:
        """Give the processes that `session` waits for."""
        query = "SELECT pg_blocking_pids(%s)"
        [(found,)] = self.looker.execute(query, [session.info.backend_pid]).fetchall()
        return found


@contextmanager
def ring_at(url: str) -> Generator[Ring]:
    """Open the three sessions, each as a worker has it, on a database without a row."""
    with session_at(url) as left, session_at(url) as right, session_at(url) as looker:
        looker.execute(EFFECTS)
        ring = Ring(left, right, looker)
        ring.clear()
        yield ring


@contextmanager
def session_at(url: str) -> Generator[psycopg.Connection]:
    """Open a session as a worker has it, in which nothing can hang for ever."""
    with psycopg.connect(to_conninfo(url), autocommit=True) as it:
        do(it, session_settings("15s"))
        it.execute("SELECT set_config('statement_timeout', '20s', false)")
        yield it


def meet(
    ring: Ring, first: Callable[[], str], second: Callable[[], str], fate: Fate, *, commit: bool
) -> Meeting:
    """Let `second` begin while the transaction of `first` is open, then commit it or roll it back.

    first: acts on `ring.left`; second: acts on `ring.right`.
    """
    with ThreadPoolExecutor(1) as thread:
        with ring.left.transaction(force_rollback=not commit):
            told_first = first()
            answer = thread.submit(second)
            check_fate(ring, answer, fate)
        return Meeting(told_first, answer.result(DEADLINE_SECONDS))


def check_fate(ring: Ring, answer: Future[str], fate: Fate) -> None:
    """Wait until it is known what `ring.right` meets with, and fail unless it is `fate`."""
    if fate is Fate.GIVES_UP:
        waiting.until(answer.done, what="the second gives up")
        return
    waiting.until(lambda: answer.done() or ring.blockers(ring.right), what="the second is seen")
    if fate is Fate.PASSES:
        # At once, but what it waited for may be a latch of the server's own.
        waiting.until(answer.done, what="the second passes", seconds=10)
    if fate is Fate.WAITS:
        assert not answer.done(), f"it did not wait, but was told {answer.result()!r}"
        assert ring.blockers(ring.right) == [ring.left.info.backend_pid]
