"""A command's connection to the database."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import set_json_loads

from jobqueue.store.database import check_schema, executor, to_conninfo
from jobqueue.store.statement import Execute

MOST_DIGITS = 4_000


def _digits(text: str) -> int | str:
    """Read a whole number; as text when it has more digits than Python reads."""
    return int(text) if len(text) < MOST_DIGITS else text


def _read(text: str | bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON, whoever wrote it: one job must not keep the others from being shown."""
    try:
        return json.loads(text, parse_int=_digits)
    except RecursionError:
        return {"[not shown]": f"nested too deeply, {len(text):,} bytes"}


@contextmanager
def session(url: str | None) -> Generator[Execute]:
    """Connect, check the schema, and give what executes statements; each commits by itself.

    Raises DatabaseUrlError, SchemaError or psycopg.OperationalError.
    """
    with psycopg.connect(to_conninfo(url, application_name="jobqueue cli"), autocommit=True) as it:
        set_json_loads(_read, it)
        execute = executor(it)
        check_schema(execute)
        yield execute
