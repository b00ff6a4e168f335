"""The results: a table to read, and JSON lines to keep."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from statistics import median

from rich.table import Table

import jobqueue
from benchmarks.measure import Metric, Series

PACKAGES = ("psycopg", "pydantic", "orjson", "uvloop")


def versions(postgres: str) -> dict[str, str | None]:
    """Give the versions of what was measured. None: not installed."""
    found: dict[str, str | None] = {
        "jobqueue": jobqueue.__version__,
        "python": platform.python_version(),
        "postgres": postgres,
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def now() -> str:
    """Give the moment of a run, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> dict[str, object]:
    """Describe the machine, and how busy it was with other things."""
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def table(series: Iterable[Series]) -> Table:
    """Lay the results out for reading."""
    found = Table(title="medians of the rounds", title_justify="left")
    for heading in ("measure", "median", "min", "max", "unit", "target"):
        found.add_column(
            heading, justify="left" if heading in {"measure", "unit"} else "right", no_wrap=True
        )
    for name, members in groupby(series, key=lambda one: one.group.name):
        found.add_section()
        found.add_row(f"[bold]{name}[/bold]")
        for one in members:
            figures = [median(one.values), min(one.values), max(one.values)]
            found.add_row(
                f"  {one.metric.meaning}",
                *[figure(value) for value in figures],
                one.metric.unit,
                _target(one.metric, figures[0]),
            )
    return found


def write_lines(path: Path, series: Iterable[Series], about: Mapping[str, object]) -> None:
    """Write one JSON object a metric, a line each. about: what every line says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "group": one.group.name,
                "name": one.metric.name,
                "unit": one.metric.unit,
                "median": _rounded(median(one.values)),
                "min": _rounded(min(one.values)),
                "max": _rounded(max(one.values)),
                "rounds": len(one.values),
                "values": [_rounded(value) for value in one.values],
                "target": one.metric.target,
                "less_is_better": one.metric.less_is_better,
                "meaning": one.metric.meaning,
                "settings": one.group.settings,
                **about,
            }
        )
        for one in series
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def figure(value: float) -> str:
    """Write a number as people read it."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _target(metric: Metric, value: float) -> str:
    if metric.target is None:
        return ""
    bound = f"{'<' if metric.less_is_better else '>'} {metric.target:,g}"
    return f"[green]{bound}[/green]" if metric.meets(value) else f"[red]{bound} missed[/red]"
