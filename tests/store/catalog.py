"""The schema as PostgreSQL's catalogs describe it, for comparing one with another."""

from __future__ import annotations

import psycopg

from jobqueue.store.database import to_conninfo

QUERIES = {
    "relations": """
        SELECT relname, relkind, reloptions, pg_get_expr(relpartbound, oid),
               obj_description(oid, 'pg_class')
        FROM pg_class WHERE relnamespace = 'jobqueue'::regnamespace""",
    "columns": """
        SELECT attrelid::regclass::text,
               -- not attnum: a column that was dropped leaves a gap
               row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
               format_type(atttypid, atttypmod),
               attnotnull, attidentity, pg_get_expr(adbin, adrelid),
               col_description(attrelid, attnum)
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'jobqueue'::regnamespace AND attnum > 0 AND NOT attisdropped""",
    "indexes": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relnamespace = 'jobqueue'::regnamespace""",
    "constraints": """
        SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'jobqueue'::regnamespace""",
    "functions": """
        SELECT proname, pg_get_function_arguments(oid), pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace = 'jobqueue'::regnamespace""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'jobqueue'",
    "schema_version": "SELECT version, oldest_supported FROM jobqueue.schema_version",
}


def described(url: str) -> dict[str, list[str]]:
    """Give everything there is in the schema `jobqueue`, in a fixed order."""
    with psycopg.connect(to_conninfo(url)) as connection:
        return {
            name: sorted(str(row) for row in connection.execute(query.encode()).fetchall())
            for name, query in QUERIES.items()
        }


def tables(url: str) -> set[str]:
    """Name the tables and views of the schema `jobqueue`."""
    with psycopg.connect(to_conninfo(url)) as connection:
        query = (
            "SELECT relname FROM pg_class "
            "WHERE relnamespace = to_regnamespace('jobqueue') AND relkind IN ('r', 'p', 'v')"
        )
        return {name for (name,) in connection.execute(query)}
