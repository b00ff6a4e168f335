"""The SQLAlchemy metadata says what the migrations made, no more and no less."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql

from jobqueue import tables
from jobqueue.store.database import to_conninfo
from jobqueue.tables.jobs import STATES

TABLES = {table.name: table for table in tables.metadata.tables.values()}
VIEWS = {name for name, table in TABLES.items() if table.info.get("is_view")}
DIALECT = postgresql.dialect()

every_table = pytest.mark.parametrize("name", sorted(TABLES))
every_real_table = pytest.mark.parametrize("name", sorted(TABLES.keys() - VIEWS))


@pytest.fixture(scope="module")
def schema(shared_database_url: str):
    """Look into the migrated schema."""
    import psycopg

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(to_conninfo(shared_database_url))
    )
    with engine.connect() as connection:
        yield sqlalchemy.inspect(connection)
    engine.dispose()


def type_name(column_type: Any) -> str:
    return column_type.compile(DIALECT)


def plain(condition: object) -> str:
    """Give SQL without what PostgreSQL adds when it writes it back: casts, brackets, prefixes."""
    text = re.sub(
        r"::\w+( precision)?(\[\])?|jobqueue\.|jobs\.|rates\.|[()\s]", "", str(condition).lower()
    )
    return re.sub(r"=anyarray\[(.*)\]", r"in\1", text)


def of_migrations(names: list[str]) -> set[str]:
    """Leave out Alembic's own table and the partitions, which come and go."""
    return {name for name in names if name != "alembic_version" and "job_history_" not in name}


def test_every_table_and_view_of_the_schema_is_described(schema):
    assert of_migrations(schema.get_table_names(schema="jobqueue")) == TABLES.keys() - VIEWS
    assert set(schema.get_view_names(schema="jobqueue")) == VIEWS


def test_the_metadata_is_of_one_schema():
    assert {table.schema for table in TABLES.values()} == {"jobqueue"}
    assert {
        *("all_jobs", "all_schedules", "autoscaling", "dead_jobs", "fleet_metrics", "new_jobs"),
        *("queue_metrics", "sleepers"),
    } == VIEWS


@every_table
def test_the_columns_are_the_same_in_name_order_and_type(schema, name):
    found = [
        (column["name"], type_name(column["type"]))
        for column in schema.get_columns(name, schema="jobqueue")
    ]
    assert found == [(column.name, type_name(column.type)) for column in TABLES[name].columns]


@every_table
def test_the_same_columns_may_be_null(schema, name):
    found = {
        column["name"]: column["nullable"] for column in schema.get_columns(name, schema="jobqueue")
    }
    assert found == {column.name: column.nullable for column in TABLES[name].columns}


@every_real_table
def test_the_same_columns_have_defaults(schema, name):
    found = {
        column["name"]: plain(column["default"])
        for column in schema.get_columns(name, schema="jobqueue")
        if column["default"] is not None
    }
    described = {
        column.name: plain(column.server_default.arg)
        for column in TABLES[name].columns
        if column.server_default is not None and column.identity is None
    }
    if name == "schema_version":  # one row, made by the migration; its default guards it
        found.pop("only_row", None)
    assert found == described


@every_real_table
def test_the_same_columns_are_identities(schema, name):
    found = {
        column["name"]: column["identity"]["always"]
        for column in schema.get_columns(name, schema="jobqueue")
        if column.get("identity")
    }
    described = {
        column.name: column.identity.always
        for column in TABLES[name].columns
        if column.identity is not None
    }
    assert found == described


@every_real_table
def test_the_primary_keys_are_the_same(schema, name):
    found = schema.get_pk_constraint(name, schema="jobqueue")["constrained_columns"]
    assert found == [column.name for column in TABLES[name].primary_key.columns]


@every_real_table
def test_the_indexes_are_the_same(schema, name):
    found = {
        index["name"]: (
            index["column_names"],
            index["unique"],
            plain(index.get("dialect_options", {}).get("postgresql_where") or ""),
        )
        for index in schema.get_indexes(name, schema="jobqueue")
    }
    described = {}
    for index in TABLES[name].indexes:
        where = index.dialect_options["postgresql"]["where"]
        described[index.name] = (
            [column.name for column in index.columns],
            index.unique,
            "" if where is None else plain(where),
        )
    assert found == described


@every_real_table
def test_the_same_columns_refer_to_other_tables(schema, name):
    found = {
        (column, key["referred_table"])
        for key in schema.get_foreign_keys(name, schema="jobqueue")
        for column in key["constrained_columns"]
    }
    described = {(key.parent.name, key.column.table.name) for key in TABLES[name].foreign_keys}
    assert found == described


def test_the_metadata_can_be_queried_as_the_documentation_shows(schema, shared_database_url):
    all_jobs = tables.all_jobs
    query = sqlalchemy.select(all_jobs.c.state, sqlalchemy.func.count()).group_by(all_jobs.c.state)
    assert isinstance(schema.bind.execute(query).fetchall(), list)


def test_states_in_the_metadata_are_those_of_a_live_job(schema):
    [check] = [
        check["sqltext"]
        for check in schema.get_check_constraints("jobs", schema="jobqueue")
        if "state" in check["sqltext"]
    ]
    assert plain(check) == plain(STATES)
