"""What a measurement is: groups of metrics, measured once a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.database import Server


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured. jobs: in bulk, drained and by the raw loop."""

    rounds: int = 3
    jobs: int = 50_000
    threaded_jobs: int = 10_000
    single_commits: int = 1_000
    single_inserts: int = 5_000
    idle_jobs: int = 200


@dataclass(frozen=True, slots=True)
class Metric:
    """One number. target: what it should at least be, or at most where less is better."""

    name: str
    unit: str
    meaning: str
    target: float | None = None
    less_is_better: bool = False

    def meets(self, value: float) -> bool:
        """Whether `value` is as good as the target, or there is none."""
        if self.target is None:
            return True
        return value <= self.target if self.less_is_better else value >= self.target


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a group measures: a server for fresh databases, a folder for its files."""

    server: Server
    folder: Path


Samples = dict[str, float]
"""The value of each metric in one round, by name."""


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are measured together, and how."""

    name: str
    metrics: tuple[Metric, ...]
    settings: Mapping[str, object]
    measure: Callable[[Bench], Samples]


@dataclass(slots=True)
class Series:
    """A metric's values, one a round."""

    group: Group
    metric: Metric
    values: list[float] = field(default_factory=list[float])
