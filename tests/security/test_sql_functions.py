"""Every function of the schema, called with anything: a result or a clean refusal, and no harm.

The functions are found in pg_proc, so that new ones are covered without a word here.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.conftest import emptied
from tests.security.bystanders import Bystanders, broken
from tests.security.functions import Function, call, error_of, functions
from tests.security.hostile import HOSTILE, PLAUSIBLE, Values, arguments, values_for
from tests.security.settings import OPEN, looking
from tests.store.roles import connected_as

LIMIT = "5s"

# By class, or in full: a value that cannot be used, a NULL or a rule of a table's, more than fits
# in a program. A lock that is not waited for is what the functions with a lock_timeout promise.
CLEAN = ("22", "23502", "23514", "54", "55P03")

# Their work is on rows that nobody names to them.
SWEEPING = {
    "drop_history_partitions": "drops history by its age",
    "prune_keys": "deletes by age",
    "settle_contested": "decides about whatever is contested",
}
# Parts of the enqueue functions, which have checked all values when they call them. They need the
# rights to the tables, with which one could break the rules without them.
INTERNAL = {"enqueue_keyed"}
# What their steps are handed, by its type.
STEPS = {"jobqueue.keyed_job", "jobqueue.limits"}


@pytest.fixture(scope="module")
def url(shared_database_url: str) -> str:
    return emptied(shared_database_url)


@pytest.fixture(scope="module")
def found(url: str) -> dict[str, Function]:
    with psycopg.connect(to_conninfo(url), autocommit=True) as owner:
        return {str(one): one for one in functions(owner)}


@pytest.fixture(scope="module")
def bystanders(url: str) -> Bystanders:
    with psycopg.connect(to_conninfo(url), autocommit=True) as owner:
        return Bystanders(owner)


@pytest.fixture(scope="module")
def caller(url: str, bystanders: Bystanders) -> Iterator[psycopg.Connection]:
    """A session of a role that may work, which is to call whatever there is."""
    with connected_as(url, Purpose.WORKER) as it:
        it.execute(f"SET statement_timeout = '{LIMIT}'".encode())
        it.autocommit = False
        yield it


def is_clean(error: psycopg.Error) -> bool:
    return (error.sqlstate or "").startswith(CLEAN)


def sensible(function: Function) -> dict[str, st.SearchStrategy[object]]:
    """Give what a sensible caller passes to `function`, by parameter."""
    if "many" in function.name:
        return {**PLAUSIBLE, "args": arguments.map(lambda one: f"[{one}]")}
    return PLAUSIBLE


def values_of(function: Function) -> st.SearchStrategy[Values]:
    values = values_for(function.parameters, sensible(function), function.optional)
    if "endless partitions" in OPEN and function.name == "make_history_partitions":
        return values.filter(lambda given: abs(int(str(given.get("days") or 0))) < 40)
    return values


def attempt(
    caller: psycopg.Connection, function: Function, values: Values, bystanders: Bystanders
) -> None:
    """Call `function` once, look at what came of it, and undo it."""
    what = f"{function}: {values!r:.500}"
    caller.rollback()
    before = bystanders.digest(caller)
    error = error_of(caller, function, values)
    if error is not None:
        assert is_clean(error), f"{what}: {error.sqlstate}: {error}"
    else:
        if function.name not in SWEEPING:
            assert bystanders.digest(caller) == before, f"{what}: changed rows of others"
        if function.name not in INTERNAL:
            assert broken(caller) == [], what
            if "times beyond reading" not in OPEN:
                caller.execute("SELECT run_at, enqueued_at FROM jobqueue.all_jobs").fetchall()
    caller.rollback()
    assert bystanders.digest(caller) == before


def test_there_is_a_strategy_for_every_type_that_a_function_takes(
    found: dict[str, Function],
) -> None:
    kinds = {kind for one in found.values() for kind in one.parameters.values()}
    assert kinds <= HOSTILE.keys(), "add a strategy to HOSTILE for each new type"
    assert {"enqueue_v1", "enqueue_many_v1", "cancel_v1", "redrive_many_v1"} <= found.keys()


def probe(caller: psycopg.Connection, function: Function, bystanders: Bystanders) -> None:
    """Call `function` with many values."""

    @looking(8 + 4 * len(function.parameters) if function.parameters else 1)
    @given(values=values_of(function))
    def each(values: Values) -> None:
        attempt(caller, function, values, bystanders)

    each()


def test_whatever_a_function_is_called_with_it_answers_or_refuses_and_does_no_harm(
    found: dict[str, Function], caller: psycopg.Connection, bystanders: Bystanders
) -> None:
    for function in found.values():
        # Steps of an enqueue or of an admission, which take what was checked: only their owner has
        # rights to what they write, and could as well write it by hand.
        if STEPS.isdisjoint(function.parameters.values()):
            probe(caller, function, bystanders)
    assert caller.pgconn.status == psycopg.pq.ConnStatus.OK, "the session has outlived it all"


def test_nothing_but_null_is_answered_or_refused(
    found: dict[str, Function], caller: psycopg.Connection, bystanders: Bystanders
) -> None:
    for function in found.values():
        nothing: Values = dict.fromkeys(function.parameters)
        attempt(caller, function, nothing, bystanders)


@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_what_text_cannot_hold_is_refused_before_it_is_sent(
    found: dict[str, Function], caller: psycopg.Connection, character: str
) -> None:
    for function in found.values():
        for name, kind in function.parameters.items():
            if kind == "text":
                values = {name: f"a{character}b"}
                with pytest.raises((psycopg.DataError, UnicodeEncodeError)) as refused:
                    caller.execute(call(function, values), values)
                assert getattr(refused.value, "sqlstate", None) is None, "by the driver"
                caller.rollback()
