"""What to do about errors of the database that whoever enqueues may meet."""

from __future__ import annotations

from typing import TypeVar

from jobqueue.store.statement import Execute, ExecuteAsync, Statement, run, run_async

Row = TypeVar("Row")

REMEDIES = {
    "3F000": "jobqueue: no schema 'jobqueue' in this database; run `jobqueue migrate` first",
    "42P01": "jobqueue: no schema 'jobqueue' here, or an older one; run `jobqueue migrate` first",
    "42883": "jobqueue: this database's schema is older than this release; run `jobqueue migrate`",
    "42501": "jobqueue: this role may not; see `jobqueue grants --role ROLE --for PURPOSE`",
    "25006": "jobqueue: to enqueue is to write; use a transaction and a server that may",
    "25P02": "jobqueue: a statement before this one failed; roll back, and begin again",
    "40001": "jobqueue: another transaction was there first; roll back, and run the whole again",
}
"""By SQLSTATE. Source: PostgreSQL, appendix A."""


def add_remedy(error: BaseException) -> None:
    """Add to `error` what to do about it, as a note that its traceback shows.

    The error stays the driver's own, and of its own type, for the application may expect it.
    """
    # Each driver names the code in its own way; SQLAlchemy and Django wrap the driver's error.
    for source in (error, getattr(error, "orig", None), error.__cause__):
        code = getattr(source, "sqlstate", None) or getattr(source, "pgcode", None)
        if code in REMEDIES:
            error.add_note(REMEDIES[code])
            return


def ask(execute: Execute, statement: Statement[Row]) -> list[Row]:
    """Execute `statement` as `run` does; an error says what to do about it."""
    try:
        return run(execute, statement)
    except Exception as error:
        add_remedy(error)
        raise


async def ask_async(execute: ExecuteAsync, statement: Statement[Row]) -> list[Row]:
    """Execute `statement` as `run_async` does; an error says what to do about it."""
    try:
        return await run_async(execute, statement)
    except Exception as error:
        add_remedy(error)
        raise
