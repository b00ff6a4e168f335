"""The results: tables to read, and JSON lines to keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.measure import Metric
from benchmarks.peers.measures import Amounts
from benchmarks.peers.peer import Peer


@dataclass(slots=True)
class Results:
    """What one peer came to. values: one a round, by the name of the metric."""

    peer: Peer
    amounts: Amounts
    values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, samples: Mapping[str, float]) -> None:
        """Keep one more round of some metrics."""
        for name, value in samples.items():
            self.values.setdefault(name, []).append(value)

    def median(self, metric: Metric) -> float | None:
        """Give the middle of the rounds, or None if there is no result."""
        values = self.values.get(metric.name)
        return median(values) if values else None


def table(results: Sequence[Results], metrics: Sequence[Metric]) -> Table:
    """Lay out one row a peer, one column a metric."""
    found = Table(title="medians of the rounds", title_justify="left")
    found.add_column("queue", no_wrap=True)
    found.add_column("history")
    found.add_column("jobs", justify="right")
    for metric in metrics:
        heading = metric.meaning.replace(", ", "\n")
        found.add_column(f"{heading}\n{metric.unit}", justify="right", no_wrap=True)
    for one in results:
        figures = [_figure(one.median(metric)) for metric in metrics]
        found.add_row(
            f"{one.peer.title}\n{one.peer.version}",
            one.peer.history,
            f"{one.amounts.jobs:,}",
            *figures,
            style="bold" if one.peer.is_ours else None,
        )
    return found


def ratios(results: Sequence[Results], metrics: Sequence[Metric]) -> Table:
    """Lay out what ours comes to over the best peer, one row a metric, and who wins."""
    ours = [one for one in results if one.peer.is_ours]
    found = Table(title="ours / best peer", title_justify="left")
    found.add_column("measure")
    found.add_column("best peer")
    found.add_column("its figure", justify="right")
    for one in ours:
        found.add_column(f"{one.peer.title}", justify="right")
    for metric in metrics:
        best, figure = _best(results, metric)
        if best is None or figure is None:
            continue
        found.add_row(
            f"{metric.meaning}, {metric.unit}{', less is better' * metric.less_is_better}",
            best.peer.title,
            _figure(figure),
            *[_verdict(one.median(metric), figure, best, metric) for one in ours],
        )
    return found


def write_lines(
    path: Path, results: Iterable[Results], metrics: Sequence[Metric], about: Mapping[str, object]
) -> None:
    """Write one JSON object a peer and metric, a line each. about: what every line says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "peer": one.peer.name,
                "title": one.peer.title,
                "version": one.peer.version,
                "history": one.peer.history,
                "measure": metric.name,
                "unit": metric.unit,
                "median": _rounded(median(values)),
                "min": _rounded(min(values)),
                "max": _rounded(max(values)),
                "values": [_rounded(value) for value in values],
                "jobs": one.amounts.jobs,
                "scheduled": one.amounts.scheduled,
                "settings": one.peer.settings,
                "note": one.peer.note,
                **about,
            }
        )
        for one in results
        for metric in metrics
        if (values := one.values.get(metric.name))
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _best(results: Sequence[Results], metric: Metric) -> tuple[Results | None, float | None]:
    figures = [
        (figure, one)
        for one in results
        if not one.peer.is_ours and (figure := one.median(metric)) is not None
    ]
    if not figures:
        return None, None
    choose = min if metric.less_is_better else max
    figure, best = choose(figures, key=lambda pair: pair[0])
    return best, figure


def _verdict(ours: float | None, best: float, peer: Results, metric: Metric) -> str:
    if ours is None:
        return "no result"
    ratio = f"{_figure(ours)}  {ours / best:.2f}x"
    wins = ours <= best if metric.less_is_better else ours >= best
    return f"[green]{ratio}[/green]" if wins else f"[red]{ratio}  {peer.peer.title} wins[/red]"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
