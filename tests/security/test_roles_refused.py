"""What each role may not do, tried one by one; see test_grants for the ordinary ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from hypothesis import given

from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.conftest import emptied
from tests.security.attempts import GRANTED, HARMLESS, READING, REFUSED
from tests.security.bystanders import Bystanders
from tests.security.functions import Function, error_of, functions
from tests.security.hostile import PLAUSIBLE, Values, values_for
from tests.security.settings import looking
from tests.store.roles import connected_as

Roles = dict[Purpose, psycopg.Connection]


@pytest.fixture(scope="module")
def admin(shared_database_url: str) -> Iterator[psycopg.Connection]:
    url = emptied(shared_database_url)
    with psycopg.connect(to_conninfo(url), autocommit=True) as it:
        yield it


@pytest.fixture(scope="module")
def bystanders(admin: psycopg.Connection) -> Bystanders:
    return Bystanders(admin)


@pytest.fixture(scope="module")
def roles(shared_database_url: str, admin: psycopg.Connection) -> Iterator[Roles]:
    """A session of a role for each purpose; each statement commits."""
    with ExitStack() as stack:
        yield {
            purpose: stack.enter_context(connected_as(shared_database_url, purpose))
            for purpose in Purpose
        }


NO_RIGHT = b"42501"


@pytest.mark.parametrize(("purpose", "statement"), REFUSED)
def test_it_is_refused(
    roles: Roles,
    admin: psycopg.Connection,
    bystanders: Bystanders,
    purpose: Purpose,
    statement: str,
) -> None:
    before = bystanders.digest(admin)
    # Below psycopg, which would wait for the data of a COPY that is allowed.
    result = roles[purpose].pgconn.exec_(statement.encode())
    code = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    assert code == NO_RIGHT, result.error_message.decode() or "it was allowed"
    assert bystanders.digest(admin) == before


RIGHTS = """
    SELECT string_agg(one.line, E'\n' ORDER BY one.line) FROM (
        SELECT oid::regclass || relacl::text AS line FROM pg_class
            WHERE relnamespace = 'jobqueue'::regnamespace
        UNION ALL SELECT oid::regprocedure || proacl::text FROM pg_proc
            WHERE pronamespace = 'jobqueue'::regnamespace
        UNION ALL SELECT nspname || nspacl::text FROM pg_namespace WHERE nspname = 'jobqueue'
    ) AS one
"""


@pytest.mark.parametrize("purpose", list(Purpose))
def test_no_role_hands_on_what_it_was_given(
    roles: Roles, admin: psycopg.Connection, purpose: Purpose
) -> None:
    before = admin.execute(RIGHTS).fetchone()
    for kind in ("TABLES", "FUNCTIONS", "SEQUENCES"):
        statement = f"GRANT ALL ON ALL {kind} IN SCHEMA jobqueue TO PUBLIC"
        # Where it has some right itself this is a warning, not an error.
        roles[purpose].pgconn.exec_(statement.encode())
    assert admin.execute(RIGHTS).fetchone() == before


@pytest.mark.parametrize("purpose", [Purpose.ENQUEUE, Purpose.READ])
def test_of_the_other_functions_none_does_anything_for_a_role(
    roles: Roles, admin: psycopg.Connection, bystanders: Bystanders, purpose: Purpose
) -> None:
    role = roles[purpose]
    role.autocommit = False
    before = bystanders.digest(admin)
    for function in functions(admin):
        if function.name not in GRANTED[purpose] | HARMLESS.keys():
            every_call_is_refused(role, function)
        elif function.name in HARMLESS:
            no_call_writes(role, function)
    assert bystanders.digest(admin) == before
    role.autocommit = True


# No right to it; or refused before the function is looked at, for what cannot be read as its type.
REFUSED_WITH = ("42501", "22", "54")


def every_call_is_refused(role: psycopg.Connection, function: Function) -> None:
    @looking(5)
    @given(values=values_for(function.parameters, PLAUSIBLE, ()))
    def each(values: Values) -> None:
        said = error_of(role, function, values)
        role.rollback()
        assert said is not None, "it was allowed"
        assert (said.sqlstate or "").startswith(REFUSED_WITH), said

    each()
    nothing: Values = dict.fromkeys(function.parameters)
    assert isinstance(error_of(role, function, nothing), psycopg.errors.InsufficientPrivilege)
    role.rollback()


def no_call_writes(role: psycopg.Connection, function: Function) -> None:
    @looking(5)
    @given(values=values_for(function.parameters, PLAUSIBLE, ()))
    def each(values: Values) -> None:
        role.execute("SET TRANSACTION READ ONLY")
        said = error_of(role, function, values)
        assert not isinstance(said, psycopg.errors.ReadOnlySqlTransaction)
        role.rollback()

    each()


@pytest.mark.parametrize("purpose", [Purpose.ENQUEUE, Purpose.READ])
def test_the_planners_statistics_tell_a_role_nothing_of_what_it_may_not_read(
    roles: Roles, admin: psycopg.Connection, purpose: Purpose
) -> None:
    admin.execute("ANALYZE jobqueue.jobs, jobqueue.dead_letters, jobqueue.idempotency_keys")
    query = (
        "SELECT attname FROM pg_stats WHERE schemaname = 'jobqueue' "
        "AND attname IN ('args', 'key', 'hash', 'contested', 'unique_hash')"
    )
    assert admin.execute(query).fetchall()
    assert roles[purpose].execute(query.encode()).fetchall() == []


SECRET = "hunter2-of-the-views"

# Cheap, so that the planner would rather call it before anything else.
LEAK = """
    CREATE FUNCTION pg_temp.leak(seen text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
    BEGIN
        RAISE NOTICE '%', seen;
        RETURN true;
    END $$
"""


@pytest.mark.parametrize(
    "condition",
    [
        "pg_temp.leak(args::text)",
        "pg_temp.leak(all_jobs::text)",
        "pg_temp.leak(args ->> 'pin') AND state = 'available'",
        "(args ->> 'pin')::integer = 1",
        "args @> '{\"pin\": 1}' AND 1 / (length(args ->> 'pin') - 10) = 1",
    ],
)
def test_a_function_of_the_readers_own_sees_no_more_than_the_view_shows(
    roles: Roles, admin: psycopg.Connection, condition: str
) -> None:
    reader = roles[Purpose.READ]
    admin.execute("SELECT jobqueue.enqueue_v1('known', %s)", [f'{{"pin": "{SECRET}"}}'])
    seen: list[str] = []
    reader.add_notice_handler(lambda notice: seen.append(str(notice.message_primary)))
    reader.execute("DROP FUNCTION IF EXISTS pg_temp.leak")
    reader.execute(LEAK)
    try:
        reader.execute(f"SELECT * FROM jobqueue.all_jobs WHERE {condition}".encode())
    except psycopg.DataError as error:
        seen.append(str(error))
    assert SECRET not in "".join(seen)
    assert seen or "@>" in condition


def test_reading_is_what_the_attempts_are_about(admin: psycopg.Connection) -> None:
    """An attempt that the owner could not make either would prove nothing."""
    for statement in READING:
        result = admin.pgconn.exec_(statement.encode())
        if result.status == psycopg.pq.ExecStatus.COPY_OUT:
            while admin.pgconn.get_copy_data(0)[0] > 0:
                pass
            admin.pgconn.get_result()
            continue
        assert result.status in {
            psycopg.pq.ExecStatus.TUPLES_OK,
            psycopg.pq.ExecStatus.COMMAND_OK,
        }, (statement, result.error_message)
