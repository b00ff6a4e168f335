"""What an examination comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    what: in one line. evidence: what was seen, by name. remedies: statements and commands, the
    first of which to try first; what is no statement or command starts with `#`.
    """

    what: str
    evidence: Mapping[str, Any]
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Why a check could not look, or not everywhere, and what to do about that."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found. why: what its problems lead to."""

    check: str
    why: str
    problems: tuple[Problem, ...] = ()
    unseen: Unseen | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, in the order in which they looked."""

    results: list[Result] = field(default_factory=list[Result])

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """The problems, each with the name of its check."""
        return [(result.check, one) for result in self.results for one in result.problems]

    @property
    def unseen(self) -> list[tuple[str, Unseen]]:
        """What could not be looked at, with the names of the checks."""
        return [(result.check, result.unseen) for result in self.results if result.unseen]

    @property
    def healthy(self) -> bool:
        """Whether everything was looked at and nothing was wrong."""
        return not self.problems and not self.unseen
