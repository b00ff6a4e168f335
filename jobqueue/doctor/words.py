"""How numbers and names are written in sentences and in statements."""

from __future__ import annotations

import shlex


def duration(seconds: float) -> str:
    """Show a duration in its largest fitting unit."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def size(amount: float) -> str:
    """Show a number of bytes in its largest fitting unit."""
    for unit, one in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if amount >= one:
            return f"{amount / one:.1f} {unit}"
    return f"{amount:.0f} bytes"


def select(call: str) -> str:
    """Give the statement that calls a function, for people to run."""
    return " ".join(("SELECT", f"{call};"))


def shell(text: str) -> str:
    """Quote a text for a shell, where it needs that."""
    return shlex.quote(text)


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def counted(number: int, most: int) -> str:
    """Show a number that was counted up to `most`."""
    return f"at least {number:,}" if number >= most else f"{number:,}"
