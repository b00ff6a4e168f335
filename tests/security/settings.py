"""How hard the security tests look, and which defects they know of."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("JOBQUEUE_TEST_EXAMPLES", "0"))
"""Examples of each property; 0: the few that every run can afford, the same each time."""

OPEN: dict[str, str] = {
    "times beyond reading": "a moment that Python cannot hold is taken, and nothing reads it back",
    "arguments beyond reading": "JSON that Python cannot hold is taken, and nothing reads it back",
    "poisoned keys": "a contested key that cannot be settled stops the settling of all others",
    "control characters shown": "what a terminal obeys is printed as it is",
    "a mode of NULL": "unique_mode => NULL is taken, and works as replace",
    "endless partitions": "make_history_partitions takes any number of days",
    "bytes that are no text": "an argument that is not UTF-8 ends in a traceback",
    "JSON that PostgreSQL refuses": "NaN, huge numbers and the like end in a traceback",
    "numbers out of range": "--limit, --rate and --lease end in a traceback",
    "names of roles": "a role's name that is empty or no text ends in a traceback",
    "a folder or version of no server": "`dev start` ends in a traceback",
    "revisions of any kind": "--downgrade-to takes relative revisions, and fails on an empty one",
    "markup in messages": "a backslash before a bracket in a message ends in a traceback",
    "addresses within parameters": "a key=value string with :// in it is cut there, and shown",
    "quotes in a malformed URL": "a quote in it uncovers what the message would hide",
    "limits over those of the environment": "PGCONNECT_TIMEOUT and the like are overruled",
    "options of Django": "jobqueue_migrate drops OPTIONS such as channel_binding and sslcrl",
    "secrets in messages of tasks": "an exception that holds a secret argument is kept as it is",
    "secrets in our own messages": "defaults, keys of dictionaries and messages of validators show",
    "grants of nothing": "`grants --run` by a role that may give nothing says that it gave",
}
"""Defects that are known and not mended, by name. What closes one takes its line away."""


def known(defect: str, *, here: bool = True) -> pytest.MarkDecorator:
    """Mark a case that fails for as long as `defect` is open, and must not from then on.

    here: whether it is there on this version of PostgreSQL.
    """
    return pytest.mark.xfail(here and defect in OPEN, reason=OPEN.get(defect, ""), strict=True)


def looking(few: int) -> settings:
    """Give the settings of a property that is tried `few` times when nobody asked for more."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        # The database of the test is set up once; each example leaves it as it was.
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.function_scoped_fixture,
            HealthCheck.data_too_large,
        ],
    )
