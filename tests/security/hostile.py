"""Values that break programs, for each type of PostgreSQL that a function of ours takes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from uuid import UUID

from hypothesis import strategies as st

TEXTS = [
    "", " ", "'", '"', "''", '""', "\\", "\\'", "'; DROP TABLE jobqueue.jobs; --", "$$", "$1", "%s",
    "%(task)s", "%", "{}", "{role}", "NULL", "null", "default", "\n", "\t", "\r\n", "\x01",
    "\x1b[31m",
    "\x7f", "\u200b", "\ufeff", "\ufffd", "\u202e", "é", "e\u0301", "\U0001f4a9", "ß" * 63,
    "x" * 63,
    "x" * 64, "x" * 200, "x" * 201, "\U0010ffff" * 200, "-1", "--help", "/* */", "SKIP", "skip ",
    "a" * 100_000,
]  # fmt: skip

NUMBERS = [
    "0", "-0", "-1.5", "1e400", "-1e400", "1e-400", "9" * 5_000, "1e131071", "0.1", "123e-16383",
    "18446744073709551616", "-9223372036854775809",
]  # fmt: skip
"""As JSON writes them; a float or a machine word holds few of these."""

JSON_TEXTS = [
    "null", "true", '""', '"text"', "[]", "{}", "[[]]", "[{}]", "[null]", "[{}, null]", "[{}, 5]",
    '{"": ""}', '{"a": 1, "a": 2}', '{"\\u0001": "\\u0001"}', '{"__proto__": {}}',
    '"\\ud83d\\ude00"',
    '{"a": "' + "x" * 100_000 + '"}', "[" + ",".join(["{}"] * 300) + "]",
    "[" * 3_000 + "]" * 3_000, '{"a":' * 3_000 + "1" + "}" * 3_000, "[" * 30_000 + "]" * 30_000,
    *NUMBERS, *(f'{{"n": {number}}}' for number in NUMBERS), *(f'[{{"n": {n}}}]' for n in NUMBERS),
]  # fmt: skip

INTERVALS = [
    "0", "1 second", "5 minutes", "-1 second", "1 microsecond", "30 days", "-30 days",
    "1 month -30 days",
    "178000000 years", "-178000000 years", "2147483647 days", "-2147483648 days", "200000 years",
    "9223372036854 seconds", "infinity", "-infinity", "100 hours -5 days", "P1Y", "10000 years",
]  # fmt: skip

MOMENTS = [
    "now", "epoch", "infinity", "-infinity", "4713-01-01 00:00:00+00 BC",
    "294276-12-31 23:59:59+00",
    "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "10000-01-01 00:00:00+00",
    "2000-02-29 12:00:00+15:59", "2030-01-01 00:00:00-12", "yesterday", "tomorrow",
]  # fmt: skip

INTEGERS = [0, 1, -1, 2, 5, 500, 32_767, 32_768, -32_768, -32_769, 2**31 - 1, -(2**31)]
BIGINTS = [*INTEGERS, 2**31, 2**63 - 1, -(2**63)]
MODES = ["skip", "replace", "debounce", "throttle"]

# PostgreSQL's text holds every character but NUL and surrogates.
characters = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
texts = st.one_of(st.sampled_from(TEXTS), st.text(characters, max_size=30))
uuids = st.one_of(st.uuids(), st.sampled_from([UUID(int=0), UUID(int=2**128 - 1)])).map(str)


def _json() -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    )
    shapes = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)
        ),
        max_leaves=10,
    )
    return st.one_of(st.sampled_from(JSON_TEXTS), shapes.map(json.dumps))


def arrays(elements: st.SearchStrategy[str], literal: str) -> st.SearchStrategy[object]:
    """Give arrays of elements, NULLs among them, and some of shapes that nobody expects."""
    shapes = ["{}", "{%}", "{%,%}", "{{%},{%}}", "[5:6]={%,NULL}", "[0:0][7:7]={{%}}"]
    return st.one_of(
        st.lists(st.one_of(st.none(), elements), max_size=5),
        st.lists(st.none(), min_size=1, max_size=3),
        elements.map(lambda one: [one, one]),
        st.sampled_from([shape.replace("%", literal) for shape in shapes]),
    )


jsons = _json()
durations = st.sampled_from(INTERVALS)
moments = st.sampled_from(MOMENTS)
integers = st.one_of(st.sampled_from(INTEGERS), st.integers(-(2**31), 2**31 - 1)).map(str)
bigints = st.one_of(st.sampled_from(BIGINTS), st.integers(-(2**63), 2**63 - 1)).map(str)


def _composite(values: tuple[str | None, ...]) -> str:
    """Write a row as PostgreSQL reads it."""
    quoted = (
        "" if one is None else '"{}"'.format(one.replace("\\", "\\\\").replace('"', '""'))
        for one in values
    )
    return f"({','.join(quoted)})"


booleans = st.sampled_from(["true", "false"])
# The columns of the type `keyed_job`, in their order.
keyed_jobs = st.tuples(
    *(uuids, booleans, texts, jsons, texts, integers, integers, moments, moments, booleans),
    *(st.one_of(st.none(), texts), st.one_of(st.none(), durations)),
    *(st.one_of(st.none(), texts), st.one_of(st.none(), st.sampled_from(MODES))),
    st.one_of(st.none(), durations),
).map(_composite)

# Of the table `limits`, in the order of its columns.
rules = st.tuples(
    *(texts, st.sampled_from(["rate", "concurrency"]), integers, durations, integers, booleans),
    *(booleans, integers, jsons, moments, booleans, jsons, texts, booleans, moments),
).map(_composite)

HOSTILE: dict[str, st.SearchStrategy[object]] = {
    "text": texts,
    "uuid": uuids,
    "jsonb": jsons,
    "interval": durations,
    "timestamp with time zone": moments,
    "integer": integers,
    "bigint": bigints,
    "boolean": booleans,
    "double precision": st.sampled_from(["0", "-1", "0.5", "1e300", "NaN", "Infinity", "x", ""]),
    "real": st.sampled_from(["0", "-1", "1.5", "1e38", "1e39", "NaN", "Infinity", "x", ""]),
    "jobqueue.keyed_job": keyed_jobs,
    "jobqueue.limits": rules,
    "bytea": st.binary(max_size=64),
    "text[]": arrays(texts, "a"),
    "uuid[]": arrays(uuids, "00000000-0000-7000-8000-000000000001"),
    "integer[]": arrays(integers, "1"),
    "bigint[]": arrays(bigints, "1"),
    "boolean[]": arrays(booleans, "true"),
    "double precision[]": arrays(st.sampled_from(["0", "-1", "1e300", "NaN", "Infinity"]), "0"),
    "timestamp with time zone[]": arrays(moments, "now"),
}
"""By type; a function with a parameter of another type needs a line here."""

hashes = st.sampled_from([sha256(bytes([number])).digest() for number in range(4)])
arguments = st.sampled_from(["{}", '{"n": 1}', '{"a": {"b": [1, null, "text"]}}'])

PLAUSIBLE: dict[str, st.SearchStrategy[object]] = {
    "task": st.sampled_from(["work", "known"]),
    "queue": st.sampled_from(["default", "other"]),
    "unique_mode": st.sampled_from(MODES),
    "idempotency_key": st.sampled_from(["a", "b"]),
    "unique_key": st.sampled_from(["a", "b"]),
    "hash": hashes,
    "most": st.sampled_from(["0", "1", "100"]),
    "max_attempts": st.sampled_from(["1", "5"]),
    "priority": st.sampled_from(["1", "5"]),
    "idempotency_retention": st.sampled_from(["30 days", "1 second"]),
    "unique_window": st.sampled_from(["1 minute", "1 hour"]),
    "delay": st.sampled_from(["0", "5 minutes"]),
    "args": arguments,
    "ids": st.none(),
    "idempotency_keys": st.sampled_from([None, ["a"], [None]]),
    "unique_keys": st.sampled_from([None, ["a"], [None]]),
    "due": st.sampled_from(["now", "tomorrow"]),
    "run_at": st.none(),
    "timeout": st.sampled_from(["1 second", None]),
}
"""By name of the parameter: what a sensible caller gives, so that the others are looked at."""

Values = Mapping[str, object]


@st.composite
def values_for(
    draw: st.DrawFn,
    parameters: Mapping[str, str],
    plausible: Mapping[str, st.SearchStrategy[object]],
    optional: Collection[str],
) -> Values:
    """Give values: up to three are hostile or NULL, the rest plausible or left out."""
    odd = draw(st.lists(st.sampled_from(list(parameters)), max_size=3)) if parameters else []
    values: dict[str, object] = {}
    for name, kind in parameters.items():
        if name in odd:
            values[name] = draw(st.one_of(HOSTILE[kind], HOSTILE[kind], st.none()))
        elif name not in optional or draw(st.booleans()):
            values[name] = draw(plausible.get(name, HOSTILE[kind]))
    return values
