"""A statement is a value; `run` and `run_async` are the only functions that wait on one.

Sync and async callers share every statement. What differs is how a connection executes text with
parameters, and that is one small function per kind of connection (`jobqueue.client.connections`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")

Params = Mapping[str, Any]
Execute = Callable[[str, Params], Sequence[tuple[Any, ...]]]
"""Send text with `%(name)s` parameters, give the rows as tuples."""
ExecuteAsync = Callable[[str, Params], Awaitable[Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True, slots=True)
class Statement(Generic[Row]):
    """SQL text, its parameters, and what a row of its answer becomes.

    answer: what it comes to if it succeeds and gives no rows, where that is known beforehand.
    """

    text: str
    params: Params
    row: Callable[[tuple[Any, ...]], Row]
    answer: tuple[Row, ...] = ()


def run(execute: Execute, statement: Statement[Row]) -> list[Row]:
    """Execute `statement` and give its rows."""
    rows = execute(statement.text, statement.params)
    return [statement.row(row) for row in rows] or [*statement.answer]


async def run_async(execute: ExecuteAsync, statement: Statement[Row]) -> list[Row]:
    """Execute `statement` and give its rows."""
    rows = await execute(statement.text, statement.params)
    return [statement.row(row) for row in rows] or [*statement.answer]


@cache
def sql(name: str) -> str:
    """Give the text of `sql/<name>.sql` without its comments, which only readers need."""
    text = (files("jobqueue.store") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip()


@cache
def numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """Rewrite `%(name)s` parameters as `$1`, `$2` …, for drivers that number them.

    Gives the text and the names in the order of their numbers.
    """
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"%\((\w+)\)s|%%", number, text), tuple(names)


def first(row: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a column is whatever its statement says
    """Take the only column."""
    return row[0]
