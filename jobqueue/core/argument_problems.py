"""What is wrong with a task's arguments, said without showing a secret."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from jobqueue.core.errors import ArgumentError
from jobqueue.core.json_values import (
    INTEGER_LIMIT_DIGITS,
    LARGEST_INTEGER,
    holds_nul,
    is_readable,
    to_json,
    to_json_or_nothing,
)
from jobqueue.core.outcome import InvalidArguments
from jobqueue.core.secrets import HIDDEN, json_type, unquoted

TOO_MANY_DIGITS = (
    f"holds an integer of more than {INTEGER_LIMIT_DIGITS:,} digits, which could not be read back; "
    "pass it as text"
)


class ArgumentProblems:
    """Describes what is wrong with arguments of one task.

    secrets: gives the names of the parameters that are not to be shown. It is asked when there is
    a problem, as it reads annotations, which may not be resolvable when the task is registered.
    """

    def __init__(
        self, task: str, shape: inspect.Signature, secrets: Callable[[], Sequence[str]]
    ) -> None:
        self._task = task
        self._shape = shape
        self._secrets = secrets

    @cached_property
    def shown_shape(self) -> inspect.Signature:
        """The signature, fit to be shown: secret defaults hidden."""
        return self._shape.replace(
            parameters=[
                one.replace(default=HIDDEN)
                if name in self._secrets()
                and one.default is not inspect.Parameter.empty
                and one.default is not None
                else one
                for name, one in self._shape.parameters.items()
            ]
        )

    def too_many(self, given: int, *, taken: int) -> ArgumentError:
        """Say that more arguments were given by position than are taken."""
        return ArgumentError(
            self._task,
            None,
            f"{given} given by position, {taken} taken; its signature is {self.shown_shape}",
        )

    def given_twice(self, parameter: str) -> ArgumentError:
        """Say that an argument was given both by position and by name."""
        return ArgumentError(self._task, parameter, "given by position and by name; give it once")

    def refusal(self, values: Mapping[str, object], error: Exception) -> ArgumentError:
        """Say which of `values` does not fit, or cannot be written as JSON."""
        if isinstance(error, ValidationError):
            parameter, rule = self._first_problem(error)
            rule = f"{rule}; its signature is {self.shown_shape}"
            return ArgumentError(self._task, parameter, rule)
        for name, value in values.items():
            try:
                to_json(value)
            except (PydanticSerializationError, UnicodeError, ValueError) as its_own:
                return ArgumentError(self._task, name, self._why_unserialisable(value, its_own))
        return ArgumentError(self._task, None, self._why_unserialisable(values, error))

    def nul(self, values: Mapping[str, object]) -> ArgumentError:
        """Say which of `values` holds the character NUL."""
        return ArgumentError(
            self._task,
            next(
                (name for name, value in values.items() if holds_nul(to_json_or_nothing(value))),
                None,
            ),
            "holds the character NUL, which PostgreSQL cannot keep; remove it or pass bytes",
        )

    def too_large(self, size_bytes: int, *, limit_bytes: int) -> ArgumentError:
        """Say that the arguments are too large together."""
        return ArgumentError(
            self._task,
            None,
            f"{size_bytes:,} bytes as JSON, more than {limit_bytes:,}; "
            "store the data in a table and enqueue its key",
        )

    def too_many_digits(self, checked: Mapping[str, object]) -> ArgumentError | None:
        """Say which argument, if any, is itself an integer that could not be read back."""
        for name, value in checked.items():
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                return ArgumentError(self._task, name, TOO_MANY_DIGITS)
        return None

    def unreadable(self, checked: Mapping[str, object], error: ValidationError) -> ArgumentError:
        """Say which argument a worker could not read."""
        parameter, rule = self._first_problem(error)
        if parameter is None:  # it is no JSON that could be read, for anybody
            parameter = next(
                (name for name, value in checked.items() if not is_readable({name: value})), None
            )
            if "number out of range" in rule:
                return ArgumentError(self._task, parameter, TOO_MANY_DIGITS)
        return ArgumentError(
            self._task, parameter, f"could not be read back from JSON ({rule}); change its type"
        )

    def changed(self, parameter: str, what: str) -> ArgumentError:
        """Say that a worker would get something else than was given."""
        return ArgumentError(
            self._task,
            parameter,
            f"holds {what}, which JSON would give back as something else; annotate the "
            "parameter with its type",
        )

    def masked(self, parameter: str) -> ArgumentError:
        """Say that a worker would get asterisks instead of a secret."""
        return ArgumentError(
            self._task,
            parameter,
            "holds a secret that its type writes as asterisks; give the type a serializer "
            "that writes its value, or pass the secret as an argument of its own",
        )

    def outdated(self, error: ValidationError) -> InvalidArguments:
        """Say which stored argument no longer fits, and nothing of its value.

        It is kept with the job, and the value may be a secret of another signature.
        """
        parameter, rule = self._first_problem(error, stored=True)
        where = "arguments" if parameter is None else f"argument {parameter!r}"
        return InvalidArguments(
            f"{where}: {rule}; the job was enqueued for another signature of "
            f"task {self._task!r}, which is now {self.shown_shape}"
        )

    def cause(self, error: Exception) -> Exception | None:
        """Give the error, unless it could show, in a traceback, what is not to be shown."""
        if self._secrets():
            return None
        if isinstance(error, ValidationError):
            problems = error.errors(include_url=False, include_input=False)
            # One that is about all arguments shows all of them.
            if not all(
                self._may_show(one["loc"][:1]) and one["type"] != "missing" for one in problems
            ):
                return None
        return error

    def _why_unserialisable(self, value: object, error: Exception) -> str:
        if isinstance(error, UnicodeError) or "surrogates" in str(error):
            return "holds a lone surrogate, which is no text; clean it, or pass bytes"
        # pydantic's message may show the value, or what a serializer of its own says of it.
        why = f"a {type(value).__name__}" if self._secrets() else str(error)
        return f"cannot be written as JSON ({why}); pass plain data or annotate its type"

    def _may_show(self, location: Sequence[int | str]) -> bool:
        """Whether a problem there is one with the value of a known parameter, no secret one."""
        return bool(location) and (
            location[0] in self._shape.parameters and location[0] not in self._secrets()
        )

    def _first_problem(
        self, error: ValidationError, *, stored: bool = False
    ) -> tuple[str | None, str]:
        """Give the parameter and the rule of the first problem pydantic found.

        stored: say of the value that was found what its type in JSON is, and no more.
        """
        problem = error.errors(include_url=False)[0]
        parameter, *inside = problem["loc"] or (None,)
        name = None if parameter is None else str(parameter)
        match problem["type"], inside:
            case "missing", []:
                return name, "missing"
            case "extra_forbidden", []:
                return name, "not a parameter of the task"
            case "json_invalid", [] if name is None:
                return None, _lower(problem["msg"])
            case _:
                pass
        may_show = self._may_show(problem["loc"])
        # The tag of a tagged union is part of the value.
        quotes = stored and "tag" in problem.get("ctx", {})
        message = _lower(problem["msg"] if may_show and not quotes else unquoted(problem))
        where = f" (at {'.'.join(str(step) for step in inside)})" if may_show and inside else ""
        if stored:
            got = json_type(problem["input"])
        elif may_show:
            got = _shown(problem["input"])
        else:
            got = HIDDEN if name in self._secrets() else f"a {type(problem['input']).__name__}"
        return name, f"{message}{where}, got {got}"


def _lower(message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}"


def _shown(value: object) -> str:
    """Show a value in an error."""
    try:
        return f"{value!r:.200}"
    except Exception as error:  # noqa: BLE001 - a value's own __repr__ may raise
        return f"<a {type(value).__name__} whose repr raises {type(error).__name__}>"
