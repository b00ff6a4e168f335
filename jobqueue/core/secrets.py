"""Arguments that are not to be shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import SecretBytes, SecretStr, WrapSerializer

HIDDEN = "[redacted]"

_PYDANTIC_SECRETS = (SecretStr, SecretBytes)


class Secret:
    """Marks an argument that is not to be shown: `token: Annotated[str, Secret]`.

    It is kept as it is, for the task needs it, and shown as `[redacted]` wherever jobs are shown.
    pydantic's SecretStr and SecretBytes are secret by themselves.
    """


def is_secret(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a parameter annotated so is not to be shown."""
    if hint in _PYDANTIC_SECRETS or any(
        mark is Secret or isinstance(mark, Secret) for mark in getattr(hint, "__metadata__", ())
    ):
        return True
    inner = [hint.__origin__] if hasattr(hint, "__metadata__") else get_args(hint)
    return any(is_secret(one) for one in inner)


def storable_hint(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    """Give the annotation under which a value is written as it is, not as asterisks."""
    if not is_secret(hint):
        return hint
    if hint in _PYDANTIC_SECRETS:
        return Annotated[hint, WrapSerializer(_reveal, when_used="json")]
    if hasattr(hint, "__metadata__"):
        return Annotated[(storable_hint(hint.__origin__), *hint.__metadata__)]
    inner = tuple(storable_hint(one) for one in get_args(hint))
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return functools.reduce(lambda one, other: one | other, inner)
    return origin[inner]


def _reveal(value: Any, write: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any value
    """Write a secret's own value."""
    return value.get_secret_value() if isinstance(value, _PYDANTIC_SECRETS) else write(value)
