"""Words that break a command which reads them carelessly, by the kind of value it asks for."""

from __future__ import annotations

from tests.security.settings import EXAMPLES

FEW = 4
"""Words tried on each parameter, beside the telling ones, when nobody asked for more."""

NOBODY = "00000000-0000-7000-8000-000000000001"
"""Id of no job."""

# These have broken a command before, and are tried on every one of their kind.
TELLING: dict[str, list[str]] = {
    "json": [
        "{", "[]", '{"a": NaN}', '{"a": 1e400}', '{"a": "\\ud800"}', '{"a": ' + "9" * 5_000 + "}",
        "[" * 100_000, '{"a":' * 2_000 + "1" + "}" * 2_000,
    ],
    "time": ["9" * 400, "9" * 30 + "d"],
    "moment": ["infinity", "0001-01-01T00:00:00+14:00"],
    "id": ["", "\udcff"],
    "url": ["x", "postgresql://u:\udcff@h/d"],
    "module": ["shop:\udcff", "a..b"],
    "number": ["inf", "9" * 30, "9" * 5_000, "-1"],
    "path": ["/dev/null", "a" * 5_000],
    "text": ["\udcff", ""],
}  # fmt: skip

# For each kind what breaks a reader of it; for all of them what breaks whoever passes it on.
TEXTS = [
    "", " ", "'", '"', "`id`", "$(id)", "'; DROP TABLE jobqueue.jobs; --", "%s", "%(task)s", "{}",
    "{0}",
    "--", "-", "--yes", "--help=", "-1", "\\", "\\n", "\n", "\x1b[31m", "[/]", "[bold]", "\\[/]",
    "é", "\u202e",
    "\U0001f4a9", "\udcff", "\\x00", "%00", "NULL", "../../etc/passwd", "~", "a" * 64, "a" * 5_000,
]  # fmt: skip
OTHERS: dict[str, list[str]] = {
    "json": [
        "", "null", "5", '"text"', '{"a": 1', "{'a': 1}", '{"a": Infinity}',
        '{"a": -1e400}', '{"a": "\\u0000"}', '{"a": "\udcff"}',
        '{"\\ud800": 1}', '{"a": "' + "x" * 100_000 + '"}', '{"": {}}', '{"a": 1, "a": 2}',
        "\ufeff{}", "@file", "{} {}",
    ],
    "time": [
        "", "-1", "5x", "1e5", "nan", "inf", "1.2.3", "0x10", "\u0663", "5 m m", "1_0",
        "99999999999", "0",
    ],
    "moment": [
        "", "now", "2000-01-01", "2000-01-01T00:00:00", "2000-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00-14:00", "1999-12-31T23:59:60Z", "99999-01-01T00:00:00Z",
        "2000-01-01T00:00:00+25:00", "2000-W01-1T00:00:00Z", "1999-01-01T00:00:00.0000001Z",
        "-2000-01-01T00:00:00Z",
        "1999-01-01T00:00:00+00:00:30",
    ],
    "id": [
        "", "1", NOBODY.replace("-", ""), f"{{{NOBODY}}}", f"urn:uuid:{NOBODY}", NOBODY + "0",
        NOBODY[:-1],
        "g" * 32, "0" * 32, "f" * 32, "\u0660" * 32, "' OR true --",
    ],
    "url": [
        "", " ", "x", "://", "postgresql://", "postgres:///", "mysql://h/d", "postgresql://[",
        "postgresql://%",
        "postgresql://u:p@h:99999/d", "postgresql://u:p@h:-1/d", "postgresql://u:p@h:0/d",
        "postgresql:///d?host=/nowhere", "host=/nowhere port=1,2,3",
        "host=/nowhere connect_timeout=99999999999999999999", "host=/nowhere sslmode=maybe",
        "host=/nowhere target_session_attrs=x", "service=nobody", "postgresql://?service=nobody",
        "host=/nowhere options=-c\\ x=y", "host='",
        "host=/nowhere sslrootcert=/nowhere sslmode=verify-full",
        "host=" + "/" * 5_000, "a" * 100_000, "dbname=" + "d" * 5_000 + " host=/nowhere",
        "host=/nowhere keepalives=x",
        "hostaddr=256.0.0.1 host=x", "postgresql:///%00", "file:///etc/passwd",
        "host=/nowhere application_name=%s[/]",
    ],
    "module": [
        "", ":", "::", ".", "..", "-", "shop", "shop:", "shop:nothing", "shop:jobs.tasks",
        "shop:__class__",
        "shop:greet", "os:path", "os.path:join", "/etc/passwd", "shop.py", "shop/jobs",
        "shop jobs", "1", "é:é",
        "\udcff:jobs", "a" * 5_000, "__main__:nothing", "shop;import os", "builtins:print", "*",
    ],
    "number": [
        "", "0", "-1", "1.5", "1e3", "nan", "inf", "-inf", "0x10", "9" * 30, "9" * 5_000,
        "2147483648", "32768",
        "9223372036854775808", "\u0663", "1_0", "+1", " 1 ",
    ],
    "path": [
        "", "/dev/null", "/proc/nowhere", "\udcff", "a" * 5_000, "a/" * 500 + "a", "-", "shop.py",
        "~nobody",
    ],
    "text": [],
}  # fmt: skip


def words(kind: str, turn: int) -> list[str]:
    """Give words to try on one parameter. turn: its number, so that all are tried on some."""
    rest = [*OTHERS[kind], *TEXTS]
    if not EXAMPLES:
        start = turn * FEW % len(rest)
        rest = (rest + rest)[start : start + FEW]
    return [*TELLING[kind], *rest]
