"""A task's arguments: checked against its signature, kept as JSON, read back as what it says.

The reading and writing of rich types (datetime, UUID, Decimal, Enum, dataclass, pydantic model,
bytes, containers of them) is pydantic's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, NotRequired, get_type_hints
from uuid import UUID

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer
from pydantic_core.core_schema import CoreConfig, any_schema
from typing_extensions import TypedDict

from jobqueue.core.errors import ArgumentError, TaskError
from jobqueue.core.outcome import InvalidArguments
from jobqueue.core.secrets import HIDDEN, is_secret, storable_hint

ARGUMENTS_LIMIT_BYTES = 1_048_576
"""How large one job's arguments may be as JSON: 1 MiB."""

# Bytes travel as base64. JSON has no NaN or infinity: as null they would be lost without a word.
_WRITING: CoreConfig = {"ser_json_bytes": "base64", "ser_json_inf_nan": "strings"}
_ANYTHING = SchemaSerializer(any_schema(), _WRITING)

MASKED = b'"**********"'
"""What pydantic writes for a secret."""

PLAIN = frozenset({str, int, bool, bytes, datetime, date, time, timedelta, UUID, Decimal})
"""Types of which every value that can be written can be read back."""


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

    def with_defaults(self, values: Mapping[str, object]) -> dict[str, object]:
        """Give `values` and the defaults of the rest, as the function would see them."""
        defaults = {
            name: parameter.default
            for name, parameter in self.shape.parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        return {**defaults, **values}

    def encode(self, values: Mapping[str, object]) -> str:
        """Check `values` (by parameter name) and give them as JSON text.

        Raises ArgumentError, naming the parameter, for a wrong type, a value JSON cannot carry,
        text PostgreSQL cannot keep, or more than ARGUMENTS_LIMIT_BYTES.
        """
        try:
            checked = self._reader.validate_python(values)
            encoded: bytes = self._writer.to_json(checked, warnings="error", by_alias=True)
        except ValidationError as error:
            parameter, rule = self._first_problem(error)
            raise ArgumentError(
                self.task, parameter, f"{rule}; its signature is {self.shape}"
            ) from self._cause(error)
        except (PydanticSerializationError, UnicodeError, ValueError) as error:
            raise self._unserialisable(values, error) from error
        if holds_nul(encoded):
            raise ArgumentError(
                self.task,
                next((name for name, value in values.items() if holds_nul(_json(value))), None),
                "holds the character NUL, which PostgreSQL cannot keep; remove it or pass bytes",
            )
        if len(encoded) > ARGUMENTS_LIMIT_BYTES:
            raise ArgumentError(
                self.task,
                None,
                f"{len(encoded):,} bytes as JSON, more than {ARGUMENTS_LIMIT_BYTES:,}; "
                "store the data in a table and enqueue its key",
            )
        if not self._plain and MASKED in encoded:
            raise ArgumentError(
                self.task,
                next((name for name, value in values.items() if MASKED in _json(value)), None),
                "holds a secret that its type writes as asterisks; give the type a serializer "
                "that writes its value, or pass the secret as an argument of its own",
            )
        if not self._plain:
            self._check_readable(encoded)
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
            ) from self._cause(error)
        given = [name for name in self._positional_only if name in values]
        # Those before the last one given stand by their defaults: a place cannot be left empty.
        leading = self._positional_only[
            : self._positional_only.index(given[-1]) + 1 if given else 0
        ]
        parameters = self.shape.parameters
        positional = [
            values.pop(name) if name in values else parameters[name].default for name in leading
        ]
        return positional, values

    def _cause(self, error: ValidationError) -> ValidationError | None:
        """Give the error, unless it could show a secret in a traceback."""
        return None if self.secrets else error

    @cached_property
    def secrets(self) -> list[str]:
        """Names of the parameters that are not to be shown, sorted."""
        return sorted(name for name, hint in self._hints.items() if is_secret(hint))

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
        for name, parameter in self.shape.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD and is_secret(hints.get(name)):
                raise TaskError(
                    f"task {self.task!r}: **{name} is secret, but its arguments are shown by names "
                    "that are not known before; take a dict instead"
                )
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
            kind = storable_hint(self._hints.get(name, Any))
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                more = {"extra_items": kind}
            elif parameter.default is inspect.Parameter.empty:
                fields[name] = kind
            else:
                fields[name] = NotRequired[kind]
        shape = TypedDict("Arguments", fields, **more)  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues, reportCallIssue] - made at run time by intent
        # pydantic's way to configure a TypedDict.
        shape.__pydantic_config__ = ConfigDict(  # pyright: ignore[reportAttributeAccessIssue]
            # Dataclasses inside take this over for reading and for writing.
            val_json_bytes="base64",
            ser_json_bytes="base64",
            ser_json_inf_nan="strings",
            extra="allow" if more else "forbid",
        )
        try:
            return TypeAdapter(shape)
        except PydanticSchemaGenerationError as error:
            reason = str(error).partition(". Set ")[0]
            raise TaskError(
                f"task {self.task!r}: an annotation cannot be carried as JSON "
                f"({reason}); annotate with plain types, dataclasses or pydantic models"
            ) from error

    @cached_property
    def _plain(self) -> bool:
        """Whether all types are such that what is written can be read back, whatever the value."""
        return all(self._hints.get(name) in PLAIN for name in self.shape.parameters)

    def _check_readable(self, encoded: bytes) -> None:
        """Raise ArgumentError if a worker could not read what was written.

        A model's own settings may write what its own rules refuse: infinity as null, a field under
        a name it does not take.
        """
        try:
            self._reader.validate_json(encoded)
        except ValidationError as error:
            parameter, rule = self._first_problem(error)
            raise ArgumentError(
                self.task, parameter, f"could not be read back from JSON ({rule}); change its type"
            ) from error

    def _first_problem(self, error: ValidationError) -> tuple[str | None, str]:
        """Give the parameter and the rule of the first problem pydantic found."""
        problem = error.errors(include_url=False)[0]
        parameter, *inside = problem["loc"] or (None,)
        name = None if parameter is None else str(parameter)
        where = f" (at {'.'.join(str(step) for step in inside)})" if inside else ""
        got = HIDDEN if name in self.secrets else _shown(problem["input"])
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


def _shown(value: object) -> str:
    """Show a value in an error."""
    try:
        return f"{value!r:.200}"
    except Exception as error:  # noqa: BLE001 - a value's own __repr__ may raise
        return f"<a {type(value).__name__} whose repr raises {type(error).__name__}>"


def _why_unserialisable(error: Exception) -> str:
    if isinstance(error, UnicodeError) or "surrogates" in str(error):
        return "holds a lone surrogate, which is no text; clean it, or pass bytes"
    return f"cannot be written as JSON ({error}); pass plain data or annotate its type"


def holds_nul(encoded: bytes) -> bool:
    """Whether JSON text holds the character NUL: escaped, by a backslash that is none itself."""
    return b"\\u0000" in encoded.replace(b"\\\\", b"")


def _json(value: object) -> bytes:
    try:
        return _ANYTHING.to_json(value)
    except (PydanticSerializationError, UnicodeError, ValueError):
        return b""
