"""Nothing of a caller's own runs inside a function of ours, whatever it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from jobqueue.store.grants import Purpose
from tests.security.functions import Function, error_of, functions
from tests.store.roles import connected_as
from tests.store.steps import states

SPRUNG = "the code of the caller runs"

# A function, and an operator on it, for every one of the built-in ones of these names that can be
# written in plpgsql.
FUNCTIONS = """
    SELECT proc.proname, pg_get_function_identity_arguments(proc.oid),
           format_type(proc.prorettype, NULL)
    FROM pg_proc AS proc
    WHERE proc.pronamespace = 'pg_catalog'::regnamespace AND proc.prokind = 'f'
      AND proc.proname = ANY (%(names)s) AND proc.provariadic = 0
      AND NOT proc.proretset AND proc.prorettype <> ALL (%(pseudo)s::regtype[])
      AND NOT proc.proargtypes::oid[] && %(pseudo)s::regtype[]::oid[]
"""
OPERATORS = """
    SELECT oprname, format_type(oprleft, NULL), format_type(oprright, NULL),
           format_type(oprresult, NULL)
    FROM pg_operator
    WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND oprresult <> 0
      AND oprname = ANY (%(names)s)
      AND oprleft = ANY (%(types)s::regtype[]) AND oprright = ANY (%(types)s::regtype[])
      AND oprresult <> ALL (%(pseudo)s::regtype[])
"""
PSEUDO = [
    *('"any"', "anyelement", "anyarray", "anynonarray", "anycompatible", "anycompatiblearray"),
    *("anyrange", "anyenum", "internal", "cstring", "void", "record", "trigger", "event_trigger"),
]
TYPES = [
    *(
        "text",
        "uuid",
        "jsonb",
        "timestamptz",
        "interval",
        "integer",
        "bigint",
        "smallint",
        "numeric",
    ),
    *("boolean", "bytea", "text[]", "uuid[]", "timestamp", "date", "name", "oid"),
]
BODY = f"$$ BEGIN RAISE EXCEPTION '{SPRUNG} as %', current_user; END $$"

# What a sensible caller gives, by the parameter's name.
SANE = {
    "task": "t", "args": "{}", "queue": "default", "priority": "5", "max_attempts": "5",
    "delay": "1 hour",
    "idempotency_key": "k", "idempotency_retention": "1 day", "unique_key": "u",
    "unique_window": "1 hour",
    "unique_mode": "throttle", "id": "00000000-0000-7000-8000-000000000001", "due": "tomorrow",
    "repeated": "true", "both_times": "false", "most": "5", "before": "2000-01-01", "days": "1",
    "kind": "unique", "key": "k", "hash": b"\\x00" * 32, "item": "1", "unique_keys": ["u", "v"],
    "idempotency_keys": ["k", "l"],
}  # fmt: skip
MANY = {**SANE, "args": "[{}, {}]"}


@pytest.fixture
def trapped(owner: psycopg.Connection) -> Iterator[str]:
    """A schema that anybody may use, in which every built-in that we use has a double."""
    source = "\n".join(one.source for one in functions(owner))
    names = sorted(set(re.findall(r"\w+", source)))
    symbols = sorted(set(re.findall(r"[-+*/<>=~!@#%^&|`?]+", source)))
    owner.execute("CREATE SCHEMA trap")
    owner.execute("GRANT USAGE ON SCHEMA trap TO PUBLIC")
    given = {"names": names, "pseudo": PSEUDO}
    made = 0
    for name, arguments, result in owner.execute(FUNCTIONS, given).fetchall():
        shape = f'trap."{name}"({arguments}) RETURNS {result}'
        owner.execute(f"CREATE FUNCTION {shape} LANGUAGE plpgsql AS {BODY}".encode())
        made += 1
    given = {"names": symbols, "pseudo": PSEUDO, "types": TYPES}
    for number, (symbol, left, right, result) in enumerate(
        owner.execute(OPERATORS, given).fetchall()
    ):
        owner.execute(
            f"CREATE FUNCTION trap.of_{number}({left}, {right}) RETURNS {result} "
            f"LANGUAGE plpgsql AS {BODY}; "
            f"CREATE OPERATOR trap.{symbol} (LEFTARG = {left}, RIGHTARG = {right}, "
            f"FUNCTION = trap.of_{number})".encode()
        )
        made += 1
    assert made > 100
    yield "trap"
    owner.execute("DROP SCHEMA trap CASCADE")


def called(connection: psycopg.Connection, function: Function) -> str:
    """Call a function as a sensible caller does, and give what was said, if anything."""
    sane = MANY if "many" in function.name else SANE
    values = {name: sane[name] for name in function.parameters if name in sane}
    return str(error_of(connection, function, values) or "")


@pytest.mark.parametrize("path", ["trap, pg_catalog", "pg_temp, trap, pg_catalog"])
def test_what_lies_on_the_path_of_a_caller_is_never_called(
    owner: psycopg.Connection, database_url: str, trapped: str, path: str
) -> None:
    with (
        connected_as(database_url, Purpose.ENQUEUE) as enqueuer,
        connected_as(database_url, Purpose.WORKER) as worker,
    ):
        for session in (enqueuer, worker):
            session.execute(f"SET search_path = {path}".encode())
            with pytest.raises(psycopg.Error, match=SPRUNG):
                session.execute("SELECT now() > now()")
            said = {one.name: called(session, one) for one in functions_of(owner)}
            assert not [name for name, text in said.items() if SPRUNG in text]
            assert not said["enqueue_v1"] + said["enqueue_many_v1"]


def functions_of(owner: psycopg.Connection) -> list[Function]:
    """Give all but the one that is the caller's own affair when the caller calls it itself."""
    return [one for one in functions(owner) if one.name != "uuid_v7"]


TEMPORARY = """
    CREATE TEMPORARY TABLE jobs (id uuid, queue text, task text, state text, args jsonb);
    CREATE TEMPORARY TABLE workers (sleeping text[]);
    CREATE TEMPORARY TABLE tasks (name text, queue text, priority integer, max_attempts integer);
    CREATE TEMPORARY TABLE pg_class (oid oid, relname name);
    CREATE TEMPORARY TABLE pg_proc (oid oid, proname name);
    CREATE TEMPORARY VIEW all_jobs AS SELECT 1 / 0 AS id;
    CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS {body};
    CREATE FUNCTION pg_temp.length(text) RETURNS integer LANGUAGE plpgsql AS {body};
    CREATE FUNCTION pg_temp.jsonb_typeof(jsonb) RETURNS text LANGUAGE plpgsql AS {body};
    CREATE FUNCTION pg_temp.spring(text, text) RETURNS boolean LANGUAGE plpgsql AS {body};
    CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.spring);
    CREATE TYPE pg_temp.record AS (a integer);
    CREATE TYPE pg_temp.jobqueue AS ENUM ('a');
    CREATE DOMAIN pg_temp.integer AS pg_catalog.int4 CHECK (pg_temp.spring('a', 'b'));
    CREATE DOMAIN pg_temp.interval AS pg_catalog.interval CHECK (pg_temp.spring('a', 'b'));
    SET search_path = pg_temp, pg_catalog
"""


def test_nor_is_anything_temporary_of_a_callers_own(
    owner: psycopg.Connection, database_url: str
) -> None:
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        enqueuer.execute(TEMPORARY.format(body=BODY).encode())
        said = {one.name: called(enqueuer, one) for one in functions_of(owner)}
    assert not [name for name, text in said.items() if SPRUNG in text or "division" in text]
    assert not said["enqueue_v1"] + said["enqueue_many_v1"]
    assert states(owner) == {"scheduled": 2}


CAST = """
    CREATE TYPE pg_temp.mine AS (word text);
    CREATE FUNCTION pg_temp.to_text(pg_temp.mine) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        RAISE NOTICE 'as %', current_user;
        RETURN 't';
    END $$;
    CREATE CAST (pg_temp.mine AS text) WITH FUNCTION pg_temp.to_text AS IMPLICIT
"""


def test_a_cast_of_a_callers_own_runs_before_the_call_and_as_the_caller(database_url: str) -> None:
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        enqueuer.execute(CAST)
        said: list[str] = []
        enqueuer.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        enqueuer.execute("SELECT jobqueue.enqueue_v1(ROW('t')::pg_temp.mine)")
        enqueuer.execute("DROP TYPE pg_temp.mine CASCADE")
        assert said[0] == f"as {enqueuer.info.user}"


SETTINGS = [
    "DateStyle = 'SQL, DMY'", "DateStyle = 'German'", "IntervalStyle = 'sql_standard'",
    "IntervalStyle = 'iso_8601'", "TimeZone = 'Asia/Kathmandu'", "TimeZone = 'America/St_Johns'",
    "transform_null_equals = on", "array_nulls = off", "bytea_output = 'escape'",
    "backslash_quote = off",
    "standard_conforming_strings = off", "extra_float_digits = -15", "search_path = ''",
    "quote_all_identifiers = on", "plan_cache_mode = 'force_generic_plan'",
    "enable_indexscan = off",
    "row_security = off", "check_function_bodies = off", "jit = off",
    "client_min_messages = 'debug5'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = 'serializable'",
    "jobqueue.highest_key = '0'", "jobqueue.keys_taken = '-2147483648'",
    "jobqueue.keys_taken = '2147483647'",
]  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_settings_of_a_callers_session_change_nothing(
    owner: psycopg.Connection, database_url: str, setting: str
) -> None:
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        enqueuer.execute(f"SET {setting}".encode())
        enqueuer.execute(
            """SELECT jobqueue.enqueue_v1(
                   'timed', delay => '1 day 02:03:04', idempotency_key => 'k', unique_key => 'u',
                   unique_mode => 'debounce', unique_window => '1 day 04:00:00')"""
        )
        enqueuer.execute(
            "SELECT jobqueue.enqueue_many_v1('many', '[{}, {}]', unique_keys => ARRAY['a', NULL])"
        )
    if "2147483647" in setting:
        owner.execute("SELECT jobqueue.settle_contested(100)")
    rows = owner.execute(
        "SELECT task, run_at - enqueued_at, unique_key FROM jobqueue.jobs"
    ).fetchall()
    timed = [str(after) for task, after, _ in rows if task == "timed"]
    assert [after.partition(".")[0] for after in timed] in (["1 day, 2:03:04"], ["1 day, 2:03:03"])
    assert sorted(str(key) for task, _, key in rows if task == "many") == ["None", "a"]


def test_a_setting_that_is_no_number_is_the_error_of_whoever_set_it(database_url: str) -> None:
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        enqueuer.execute("SET jobqueue.highest_key = 'nonsense'")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            enqueuer.execute("SELECT jobqueue.enqueue_v1('t', unique_key => 'u')")
        assert enqueuer.execute("SELECT jobqueue.enqueue_v1('t')").fetchone()
