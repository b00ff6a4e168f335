"""A task's arguments: checked against its signature, kept as JSON, read back as what it says.

The reading and writing of rich types (datetime, UUID, Decimal, Enum, dataclass, pydantic model,
bytes, containers of them) is pydantic's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, NotRequired, get_type_hints
from uuid import UUID

import orjson
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer, from_json
from typing_extensions import TypedDict

from jobqueue.core.argument_problems import ArgumentProblems
from jobqueue.core.errors import TaskError
from jobqueue.core.json_values import (
    INTEGER_LIMIT_DIGITS,
    WRITING,
    changed,
    holds_nul,
    is_loose,
    to_json_or_nothing,
)
from jobqueue.core.secrets import HIDDEN, is_secret, storable_hint, writes_asterisks

ARGUMENTS_LIMIT_BYTES = 1_048_576
"""How large one job's arguments may be as JSON: 1 MiB."""

MASKED = b'"**********"'
"""What pydantic writes for a secret."""

SIMPLE = frozenset({str, int, bool})
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
        self._problems = ArgumentProblems(task, self.shape, lambda: self.secrets)
        for parameter in self.shape.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise TaskError(
                    f"task {task!r}: takes *{parameter.name}; "
                    "arguments are kept by name, so take a list instead"
                )
        kinds = {name: parameter.kind for name, parameter in self.shape.parameters.items()}
        self._extra = next(
            (name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD), ""
        )
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
            raise self._problems.too_many(len(args), taken=len(self._positional))
        values = dict(zip(self._positional, args, strict=False))
        if twice := values.keys() & kwargs.keys():
            raise self._problems.given_twice(min(twice))
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

    def checked(self, values: Mapping[str, object]) -> dict[str, object]:
        """Give `values` as the task would get them: of their types, the defaults filled in.

        Raises ArgumentError, naming the parameter, for what does not fit the signature.
        """
        try:
            return self.with_defaults(self._reader.validate_python(values))
        except (ValidationError, UnicodeError) as error:
            raise self._problems.refusal(values, error) from self._problems.cause(error)

    def encode(self, values: Mapping[str, object]) -> str:
        """Check `values` (by parameter name) and give them as JSON text.

        Raises ArgumentError, naming the parameter, for a wrong type, a value JSON cannot carry or
        would give back as another, text PostgreSQL cannot keep, or more than ARGUMENTS_LIMIT_BYTES.
        """
        try:
            checked = self._reader.validate_python(values)
            encoded = self._write(checked)
        except (ValidationError, PydanticSerializationError, UnicodeError, ValueError) as error:
            raise self._problems.refusal(values, error) from self._problems.cause(error)
        if holds_nul(encoded):
            raise self._problems.nul(values)
        if len(encoded) > ARGUMENTS_LIMIT_BYTES:
            raise self._problems.too_large(len(encoded), limit_bytes=ARGUMENTS_LIMIT_BYTES)
        if not self._plain:
            self._check_unchanged(checked, encoded)
        elif len(encoded) > INTEGER_LIMIT_DIGITS and (
            problem := self._problems.too_many_digits(checked)
        ):
            raise problem
        return encoded.decode()

    def _write(self, checked: dict[str, Any]) -> bytes:
        if self._simple:
            # The same text in a fraction of the time, which every enqueue would pay.
            with suppress(TypeError):  # such as a number of more than 64 bits
                return orjson.dumps(checked)
        return self._writer.to_json(checked, warnings="error", by_alias=True)

    def decode(self, stored: str) -> tuple[list[Any], dict[str, Any]]:
        """Read stored JSON as positional and keyword arguments for the function.

        Raises InvalidArguments, naming the parameter, if they no longer fit the signature. It is
        kept with the job: it says nothing of a value, which may be a secret of another signature.
        """
        if stored == "{}" and not self.shape.parameters:
            return [], {}
        try:
            values: dict[str, Any] = self._reader.validate_json(stored)
        except ValidationError as error:
            raise self._problems.outdated(error) from None
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

    @cached_property
    def secrets(self) -> list[str]:
        """Names of the parameters that are not to be shown, sorted."""
        return sorted(name for name, hint in self._hints.items() if is_secret(hint))

    def shown(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Give stored arguments with those hidden that are secret."""
        secrets = self.secrets
        return {
            name: HIDDEN if self._parameter(name) in secrets else value
            for name, value in args.items()
        }

    def _parameter(self, name: str) -> str:
        """Give the name of the parameter that takes an argument of this name."""
        return name if name in self.shape.parameters else self._extra

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
        return SchemaSerializer(self._reader.core_schema, WRITING)

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
    def _simple(self) -> bool:
        """Whether all types are those of JSON, written in one way only."""
        return self._all_of(SIMPLE)

    @cached_property
    def _plain(self) -> bool:
        """Whether all types are such that what is written can be read back, whatever the value."""
        return self._all_of(PLAIN)

    def _all_of(self, kinds: frozenset[type]) -> bool:
        hints = [self._hints.get(name) for name in self.shape.parameters]
        return all(isinstance(hint, type) and hint in kinds for hint in hints)

    @cached_property
    def _loose(self) -> frozenset[str]:
        """The parameters whose type leaves open what comes back from JSON."""
        parameters = self.shape.parameters
        return frozenset(name for name in parameters if is_loose(self._hints.get(name, Any)))

    def _check_unchanged(self, checked: dict[str, Any], encoded: bytes) -> None:
        """Raise ArgumentError if a worker would not read what was given.

        A model's own settings may write what its own rules refuse: infinity as null, a field under
        a name it does not take. And what has no type comes back as the types that JSON has.
        """
        try:
            read: dict[str, Any] = self._reader.validate_json(encoded)
        except ValidationError as error:
            raise self._problems.unreadable(checked, error) from self._problems.cause(error)
        loose = [name for name in checked if self._parameter(name) in self._loose]
        for name in loose:
            if what := changed(checked[name], read.get(name)):
                raise self._problems.changed(name, what)
        if MASKED in encoded:
            self._check_unmasked(checked, read, from_json(encoded))

    def _check_unmasked(
        self, checked: dict[str, Any], read: dict[str, Any], written: dict[str, Any]
    ) -> None:
        """Raise ArgumentError for a secret written as asterisks, which may also be mere text."""
        for name, value in checked.items():
            hint = self._hints.get(self._parameter(name))
            lost = writes_asterisks(hint) or value != read.get(name)
            if lost and MASKED in to_json_or_nothing(written.get(name)):
                raise self._problems.masked(name)
