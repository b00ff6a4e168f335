"""Arguments that are not to be shown."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import pydantic
from pydantic import BaseModel, SecretBytes, SecretStr, WrapSerializer
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType
from typing_extensions import is_typeddict

HIDDEN = "[redacted]"

# pydantic's own, and what its messages quote of a value, by the name of the part.
_PYDANTIC_SECRETS: tuple[type[Any], ...] = (SecretStr, SecretBytes, pydantic.Secret)
_PYDANTIC_RULES = frozenset(get_args(ErrorType))
_QUOTED = frozenset({"error", "encoding_error", "tag", "attribute", "tz_actual"})


class Secret:
    """Marks an argument that is not to be shown: `token: Annotated[str, Secret]`.

    It is kept as it is, for the task needs it, and shown as `[redacted]` wherever jobs are shown.
    pydantic's SecretStr and SecretBytes are secret by themselves. An argument that holds a secret
    anywhere, as in a field of a model, is secret as a whole.
    """


def is_secret(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a parameter annotated so is not to be shown."""
    return any(
        _is_pydantic_secret(one)
        or any(mark is Secret or isinstance(mark, Secret) for mark in _marks(one))
        for one in _within(hint)
    )


def writes_asterisks(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a secret lies where `storable_hint` cannot reach: in a class that writes itself."""
    return any(_is_pydantic_secret(one) for one in _within(storable_hint(hint)))


def storable_hint(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    """Give the annotation under which a value is written as it is, not as asterisks."""
    if not is_secret(hint):
        return hint
    origin, args = get_origin(hint), get_args(hint)
    if _is_pydantic_secret(origin or hint):
        return Annotated[hint, _REVEALED]
    if origin is Annotated:
        return Annotated[(storable_hint(hint.__origin__), *hint.__metadata__)]
    if hasattr(hint, "__value__"):  # a type alias, which may have arguments
        alias = origin or hint
        meant = _meant(alias)
        if alias in _within(meant):
            return hint  # recursive: there is no end to rewriting it
        return storable_hint(meant[args] if args else meant)
    if isinstance(hint, NewType):
        return storable_hint(hint.__supertype__)
    if not args:
        return hint
    inner = tuple(storable_hint(one) for one in args)
    if origin in {Union, UnionType}:
        return functools.reduce(lambda one, other: one | other, inner)
    return origin[inner]  # pyright: ignore[reportOptionalSubscript] - what has arguments has one


def unquoted(problem: ErrorDetails) -> str:
    """Give the rule that a value broke, in words that cannot hold the value."""
    quotes = _QUOTED & problem.get("ctx", {}).keys()
    if problem["type"] in _PYDANTIC_RULES and not quotes:
        return problem["msg"]
    return f"does not fit its type ({problem['type'].replace('_', ' ')})"


def json_type(value: object) -> str:
    """Name the type of a value that was read from JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _within(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    """Give an annotation and all that it is made of, fields of classes included, each class once.

    A recursive type leads back to itself only by way of a class or an alias.
    """
    waiting: list[Any] = [hint]
    met: set[Any] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) or _is_alias(one):
            if one in met:
                continue
            met.add(one)
        yield one
        waiting += _parts(one)


def _parts(hint: Any) -> list[Any]:  # noqa: ANN401 - any annotation
    origin = get_origin(hint)
    if origin is Annotated:
        return [] if _REVEALED in hint.__metadata__ else [hint.__origin__]
    if origin is Literal:
        return []
    if args := get_args(hint):
        return [origin, *args]
    if _is_alias(hint):
        return [_meant(hint)]
    if isinstance(hint, NewType):
        return [hint.__supertype__]
    return _fields(hint) if isinstance(hint, type) else []


def _fields(kind: type[Any]) -> list[Any]:
    """Give the annotations of a class's fields, if it is one that pydantic reads field by field."""
    if issubclass(kind, BaseModel):
        kind.model_rebuild(raise_errors=False)  # fields named by text are known after it
        return [
            Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            for field in kind.model_fields.values()
        ]
    if dataclasses.is_dataclass(kind) or is_typeddict(kind) or hasattr(kind, "_fields"):
        try:
            return list(get_type_hints(kind, include_extras=True).values())
        except NameError:
            return []  # which pydantic, when it comes to it, refuses with a better message
    return []


def _meant(alias: Any) -> Any:  # noqa: ANN401 - any type alias
    """Give what an alias stands for, what is named by text in it resolved."""
    body = {"__annotations__": {"value": alias.__value__}, "__module__": alias.__module__}
    try:
        return get_type_hints(type("Alias", (), body), include_extras=True)["value"]
    except NameError:
        return alias.__value__  # as for fields


def _is_alias(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    # There are two classes of that name, and older Pythons have one of them.
    return type(hint).__name__ == "TypeAliasType"


def _is_pydantic_secret(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    return isinstance(hint, type) and issubclass(hint, _PYDANTIC_SECRETS)


def _marks(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


def _reveal(value: Any, write: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any value
    """Write a secret's own value."""
    return value.get_secret_value() if isinstance(value, _PYDANTIC_SECRETS) else write(value)


_REVEALED = WrapSerializer(_reveal, when_used="json")
