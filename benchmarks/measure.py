"""What a measurement is: groups of metrics, measured once a round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.database import Server

POINTS = ("p50", "p95", "p99", "max")


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured. jobs: in bulk, by the raw loop, and drained by each worker.

    backlog: jobs due later beside a drain, and rows of history; a tenth as many dead letters.
    long_jobs: drained one block after the other while a transaction is held open.
    """

    rounds: int = 3
    jobs: int = 50_000
    threaded_jobs: int = 10_000
    single_commits: int = 1_000
    single_inserts: int = 5_000
    idle_jobs: int = 120
    backlog: int = 1_000_000
    long_jobs: int = 1_000_000


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
"""The value of each metric in one round, by name. One that could not be had is left out."""


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are measured together, and how.

    most_rounds: for one that takes long, or whose figure does not depend on the hour.
    """

    name: str
    metrics: tuple[Metric, ...]
    settings: Mapping[str, object]
    measure: Callable[[Bench], Samples]
    most_rounds: int | None = None


@dataclass(slots=True)
class Series:
    """A metric's values, one a round."""

    group: Group
    metric: Metric
    values: list[float] = field(default_factory=list[float])


def percentiles(name: str, values: Sequence[float]) -> Samples:
    """Give the points of a distribution, each under `name` and its own."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {
        f"{name}.{point}": value
        for point, value in zip(POINTS, (cuts[49], cuts[94], cuts[98], max(values)), strict=True)
    }


def latency_metrics(name: str, meaning: str, targets: Mapping[str, float]) -> list[Metric]:
    """Give the metrics of what `percentiles` gives, in ms. targets: by point, for some."""
    return [
        Metric(
            f"{name}.{point}", "ms", f"{meaning}, {point}", targets.get(point), less_is_better=True
        )
        for point in POINTS
    ]
