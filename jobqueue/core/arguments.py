"""A task's arguments: checked against its signature, kept as JSON, read back as what it says.

The reading and writing of rich types (datetime, UUID, Decimal, Enum, dataclass, pydantic model,
bytes, containers of them) is pydantic's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, NotRequired, get_args, get_type_hints

from pydantic import (
    ConfigDict,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
    WrapSerializer,
)
from pydantic_core import PydanticSerializationError, SchemaSerializer
from pydantic_core.core_schema import CoreConfig, any_schema
from typing_extensions import TypedDict

from jobqueue.core.errors import ArgumentError, TaskError
from jobqueue.core.outcome import InvalidArguments

ARGUMENTS_LIMIT_BYTES = 1_048_576
"""How large one job's arguments may be as JSON: 1 MiB."""

# Bytes travel as base64. JSON has no NaN or infinity: as null they would be lost without a word.
_WRITING: CoreConfig = {"ser_json_bytes": "base64", "ser_json_inf_nan": "strings"}
_ANYTHING = SchemaSerializer(any_schema(), _WRITING)


class Secret:
    """Marks an argument that is not to be shown: `token: Annotated[str, Secret]`.

    It is kept as it is, for the task needs it, and shown as `[redacted]` wherever jobs are shown.
    pydantic's SecretStr and SecretBytes are secret by themselves.
    """


HIDDEN = "[redacted]"

_PYDANTIC_SECRETS = (SecretStr, SecretBytes)


class Signature:
    """What a task takes. Made when the task is registered; its types are read at first use.

    Raises TaskError if the function has parameters that JSON by name cannot carry.
    """

    def __init__(self, task: str, function: Callable[..., Any]) -> None:
        self.task = task
        self.function = function
        self.shape = inspect.signature(function)
        for parameter in self.shape.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise TaskError(
                    f"task {task!r}: takes *{parameter.name}; "
                    "arguments are kept by name, so take a list instead"
                )
        kinds = {name: parameter.kind for name, parameter in self.shape.parameters.items()}
        self._positional_only = [
            name for name, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_ONLY
        ]
        self._positional = self._positional_only + [
            name for name, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """Give each argument under its parameter's name.

        Raises ArgumentError for too many positional arguments, or one given twice.
        """
        if len(args) > len(self._positional):
            raise ArgumentError(
                self.task,
                None,
                f"{len(args)} given by position, {len(self._positional)} taken; "
                f"its signature is {self.shape}",
            )
        values = dict(zip(self._positional, args, strict=False))
        if twice := values.keys() & kwargs.keys():
            raise ArgumentError(
                self.task, min(twice), "given by position and by name; give it once"
            )
        values.update(kwargs)
        return values

    def encode(self, values: Mapping[str, object]) -> str:
        """Check `values` (by parameter name) and give them as JSON text.

        Raises ArgumentError, naming the parameter, for a wrong type, a value JSON cannot carry,
        text PostgreSQL cannot keep, or more than ARGUMENTS_LIMIT_BYTES.
        """
        try:
            checked = self._reader.validate_python(values)
            encoded = self._writer.to_json(checked, warnings="error")
        except ValidationError as error:
            parameter, rule = self._first_problem(error)
            raise ArgumentError(
                self.task, parameter, f"{rule}; its signature is {self.shape}"
            ) from error
        except (PydanticSerializationError, UnicodeError, ValueError) as error:
            raise self._unserialisable(values, error) from error
        # \u0000 is six characters in JSON; a backslash before it would make it plain text.
        if b"\\u0000" in encoded.replace(b"\\\\", b""):
            raise ArgumentError(
                self.task,
                _holder_of_nul(values),
                "holds the character NUL, which PostgreSQL cannot keep; remove it or pass bytes",
            )
        if len(encoded) > ARGUMENTS_LIMIT_BYTES:
            raise ArgumentError(
                self.task,
                None,
                f"{len(encoded):,} bytes as JSON, more than {ARGUMENTS_LIMIT_BYTES:,}; "
                "store the data in a table and enqueue its key",
            )
        return encoded.decode()

    def decode(self, stored: str) -> tuple[list[Any], dict[str, Any]]:
        """Read stored JSON as positional and keyword arguments for the function.

        Raises InvalidArguments, naming the parameter, if they no longer fit the signature.
        """
        if stored == "{}" and not self.shape.parameters:
            return [], {}
        try:
            values: dict[str, Any] = self._reader.validate_json(stored)
        except ValidationError as error:
            parameter, rule = self._first_problem(error)
            raise InvalidArguments(
                f"argument {parameter!r}: {rule}; the job was enqueued for another signature of "
                f"task {self.task!r}, which is now {self.shape}"
            ) from error
        positional = [values.pop(name) for name in self._positional_only if name in values]
        return positional, values

    @cached_property
    def secrets(self) -> list[str]:
        """Names of the parameters that are not to be shown, sorted."""
        return sorted(name for name, hint in self._hints.items() if _is_secret(hint))

    @cached_property
    def _hints(self) -> dict[str, Any]:
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise TaskError(
                f"task {self.task!r}: annotation {error.name!r} cannot be resolved; "
                "import it at run time, not only under TYPE_CHECKING"
            ) from error
        hints.pop("return", None)
        return hints

    @cached_property
    def _writer(self) -> SchemaSerializer:
        return SchemaSerializer(self._reader.core_schema, _WRITING)

    @cached_property
    def _reader(self) -> TypeAdapter[Any]:
        """Reader of the arguments, which are one typed dictionary."""
        fields: dict[str, Any] = {}
        more: dict[str, Any] = {}
        for name, parameter in self.shape.parameters.items():
            kind = _storable(self._hints.get(name, Any))
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                more = {"extra_items": kind}
            elif parameter.default is inspect.Parameter.empty:
                fields[name] = kind
            else:
                fields[name] = NotRequired[kind]
        shape = TypedDict("Arguments", fields, **more)  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues, reportCallIssue] - made at run time by intent
        # pydantic's way to configure a TypedDict.
        shape.__pydantic_config__ = ConfigDict(  # pyright: ignore[reportAttributeAccessIssue]
            val_json_bytes="base64", extra="allow" if more else "forbid"
        )
        return TypeAdapter(shape)

    def _first_problem(self, error: ValidationError) -> tuple[str | None, str]:
        """Give the parameter and the rule of the first problem pydantic found."""
        problem = error.errors(include_url=False)[0]
        parameter, *inside = problem["loc"] or (None,)
        name = None if parameter is None else str(parameter)
        where = f" (at {'.'.join(str(step) for step in inside)})" if inside else ""
        got = HIDDEN if name in self.secrets else f"{problem['input']!r:.200}"
        match problem["type"], inside:
            case "missing", []:
                return name, "missing"
            case "extra_forbidden", []:
                return name, "not a parameter of the task"
            case _:
                message = problem["msg"]
                return name, f"{message[:1].lower()}{message[1:]}{where}, got {got}"

    def _unserialisable(self, values: Mapping[str, object], cause: Exception) -> ArgumentError:
        """Say which of `values` cannot be written as JSON."""
        for name, value in values.items():
            try:
                _ANYTHING.to_json(value)
            except (PydanticSerializationError, UnicodeError, ValueError) as error:
                return ArgumentError(self.task, name, _why_unserialisable(error))
        return ArgumentError(self.task, None, _why_unserialisable(cause))


def _is_secret(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a parameter annotated so is not to be shown."""
    if hint in _PYDANTIC_SECRETS or any(
        mark is Secret or isinstance(mark, Secret) for mark in getattr(hint, "__metadata__", ())
    ):
        return True
    inner = [hint.__origin__] if hasattr(hint, "__metadata__") else get_args(hint)
    return any(_is_secret(one) for one in inner)


def _storable(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    """Give the annotation under which a value is written as it is, not as asterisks."""
    if not _is_secret(hint):
        return hint
    return Annotated[hint, WrapSerializer(_reveal, when_used="json")]


def _reveal(value: Any, write: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any value
    """Write a secret's own value."""
    return value.get_secret_value() if isinstance(value, _PYDANTIC_SECRETS) else write(value)


def _why_unserialisable(error: Exception) -> str:
    if isinstance(error, UnicodeError) or "surrogates" in str(error):
        return "holds a lone surrogate, which is no text; clean it, or pass bytes"
    return f"cannot be written as JSON ({error}); pass plain data or annotate its type"


def _holder_of_nul(values: Mapping[str, object]) -> str | None:
    """Name the argument that holds a NUL."""
    return next((name for name, value in values.items() if "\\x00" in repr(value)), None)
