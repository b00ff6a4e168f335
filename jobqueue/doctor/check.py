"""What a check is. Each is a module in `jobqueue/doctor/checks`, found there by itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from jobqueue.doctor.patient import Patient
from jobqueue.doctor.report import Problem

Look = Callable[[Patient], Iterable[Problem]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    name: for `--only` and `--skip`; that of its module.
    why: what its problems lead to, in a sentence.
    needs_schema: whether it reads tables of ours, and is left out where they are not as expected.
    look: gives the problems there are. It may raise CannotSee, or any psycopg.Error.
    """

    name: str
    why: str
    needs_schema: bool
    look: Look


def check(*, why: str, needs_schema: bool) -> Callable[[Look], Check]:
    """Make a check of a function; its name is the function's."""

    def make(look: Look) -> Check:
        return Check(look.__name__, why, needs_schema, look)

    return make


@cache
def checks() -> dict[str, Check]:
    """Give every check by its name, the schema's first."""
    package = importlib.import_module("jobqueue.doctor.checks")
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(package.__path__):
        one: object = getattr(
            importlib.import_module(f"{package.__name__}.{module.name}"), module.name
        )
        assert isinstance(one, Check)  # noqa: S101 - what the package's docstring asks for
        found[one.name] = one
    return {"schema": found.pop("schema"), **found}
