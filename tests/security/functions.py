"""The functions of the schema as pg_proc lists them, and how to call one with any values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

QUERY = """
    SELECT proc.proname,
           coalesce(proc.proargnames, '{}'),
           coalesce(proc.proargmodes::text[], '{}'),
           ARRAY(SELECT format_type(one, NULL)
                 FROM unnest(coalesce(proc.proallargtypes, proc.proargtypes::oid[])) AS one),
           proc.prosecdef, coalesce(proc.proconfig, '{}'), coalesce(proc.proacl::text, ''),
           proc.provolatile::text, language.lanname, proc.prosrc, proc.pronargdefaults
    FROM pg_catalog.pg_proc AS proc
    JOIN pg_catalog.pg_language AS language ON language.oid = proc.prolang
    WHERE proc.pronamespace = 'jobqueue'::regnamespace
      AND proc.prorettype <> 'trigger'::regtype  -- called by nobody
    ORDER BY proc.proname
"""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the schema.

    parameters: the type of each that a caller gives, by name, in order.
    optional: those of them that have a default.
    public: whether everybody may call it who may use the schema.
    """

    name: str
    parameters: Mapping[str, str]
    optional: frozenset[str]
    definer: bool
    settings: tuple[str, ...]
    public: bool
    volatility: str
    language: str
    source: str

    def __str__(self) -> str:
        return self.name


def functions(connection: psycopg.Connection) -> list[Function]:
    """Find every function there is in the schema `jobqueue`."""
    return [_function(row) for row in connection.execute(QUERY).fetchall()]


def _function(row: tuple[Any, ...]) -> Function:
    name, names, modes, types, definer, settings, acl, volatility, language, source, defaults = row
    modes = modes or ["i"] * len(types)
    parameters = {
        parameter: kind
        for parameter, mode, kind in zip(names, modes, types, strict=True)
        if mode in {"i", "b"}
    }
    # An empty list of rights means the default: everybody's. `=X` is the entry of everybody.
    public = not acl or any(one.startswith("=X") for one in acl.strip("{}").split(","))
    optional = frozenset(list(parameters)[len(parameters) - defaults :])
    return Function(
        name, parameters, optional, definer, tuple(settings), public, volatility, language, source
    )


def error_of(
    connection: psycopg.Connection, function: Function, values: Mapping[str, object]
) -> psycopg.Error | None:
    """Call `function` and give the error, if there is one. The answer is not read."""
    try:
        connection.execute(call(function, values), values)
    except psycopg.Error as error:
        return error
    return None


def call(function: Function, values: Mapping[str, object]) -> sql.Composed:
    """Write a call of `function` by name, a placeholder for each of `values`."""
    # As text first: what the server makes of a value is what is tried, not what the driver does.
    arguments = sql.SQL(", ").join(
        sql.SQL("{} => {}::{}::{}").format(
            sql.Identifier(name),
            sql.Placeholder(name),
            sql.SQL("bytea" if kind == "bytea" else "text[]" if kind.endswith("[]") else "text"),
            sql.SQL(kind),  # pyright: ignore[reportArgumentType] - a type's name, from the catalog
        )
        for name, kind in function.parameters.items()
        if name in values
    )
    return sql.SQL("SELECT * FROM jobqueue.{}({})").format(sql.Identifier(function.name), arguments)
