"""JSON text and the values in it, whichever task they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from math import isfinite
from typing import Annotated, Any, get_args, get_origin

from pydantic_core import PydanticSerializationError, SchemaSerializer, from_json
from pydantic_core.core_schema import CoreConfig, any_schema

from jobqueue.core.secrets import Secret

WRITING: CoreConfig = {"ser_json_bytes": "base64", "ser_json_inf_nan": "strings"}
"""How values are written: bytes as base64, and NaN or infinity as text.

JSON has no NaN or infinity: as null they would be lost without a word.
"""

INTEGER_LIMIT_DIGITS = 4_300
"""How many digits of an integer the reader of JSON takes."""
LARGEST_INTEGER = 10**INTEGER_LIMIT_DIGITS - 1
"""The largest integer that can be read back."""

LOOSE = (Any, object, list, dict, tuple, set, frozenset, Mapping, Sequence)
"""Annotations that say nothing of the types inside."""

_ANYTHING = SchemaSerializer(any_schema(), WRITING)


def to_json(value: object) -> bytes:
    """Write a value as JSON, whatever its type.

    Raises PydanticSerializationError, UnicodeError or ValueError for one that cannot be written.
    """
    return _ANYTHING.to_json(value, warnings="error")


def to_json_or_nothing(value: object) -> bytes:
    """Write a value as JSON, whatever its type; one that cannot be written as no text at all."""
    try:
        return _ANYTHING.to_json(value, warnings=False)
    except (PydanticSerializationError, UnicodeError, ValueError):
        return b""


def is_readable(value: object) -> bool:
    """Whether any reader of JSON could read what `value` is written as."""
    encoded = to_json_or_nothing(value)
    try:
        return not encoded or from_json(encoded) is not None
    except ValueError:
        return False


def holds_nul(encoded: bytes) -> bool:
    """Whether JSON text holds the character NUL: escaped, by a backslash that is none itself."""
    return b"\\u0000" in encoded and b"\\u0000" in encoded.replace(b"\\\\", b"")


def changed(given: Any, read: Any) -> str | None:  # noqa: ANN401 - any values
    """Say what in `given` is not as it was read back, if anything is; a tuple may be a list."""
    if given == read:
        return None
    pairs: Iterable[tuple[Any, Any]]
    if _both((list, tuple), given, read) and len(given) == len(read):
        pairs = zip(given, read, strict=True)
    elif _both((dict,), given, read):
        if given.keys() != read.keys():
            return "a dict with keys that are not text"
        pairs = ((value, read[key]) for key, value in given.items())
    elif isinstance(given, float) and not isfinite(given):
        return "NaN or Infinity"
    else:
        return f"a {type(given).__name__}"
    return next(filter(None, starmap(changed, pairs)), None)


def _both(kinds: tuple[type, ...], one: object, other: object) -> bool:
    return isinstance(one, kinds) and isinstance(other, kinds)


def is_loose(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a value under this annotation, or a part of it, may be of any type."""
    if get_origin(hint) is Annotated:
        return all(mark is Secret or isinstance(mark, Secret) for mark in hint.__metadata__) and (
            is_loose(hint.__origin__)
        )
    args = get_args(hint)
    return any(is_loose(one) for one in args) if args else any(hint is one for one in LOOSE)
