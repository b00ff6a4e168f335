"""The results as a picture. matplotlib, which draws it, is in the dependency group `plot` only."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

COLOURS = ("#1f6feb", "#9ec5fe")
BAR = 0.38

Line = dict[str, Any]
Bars = Sequence[tuple[str, Sequence[float]]]
"""What each row of bars is called, and how long its bars are."""


def available() -> bool:
    """Whether there is something to draw with."""
    return find_spec("matplotlib") is not None


def draw(path: Path, ours: Sequence[Line], peers: Sequence[Line]) -> None:
    """Draw drains, latencies and bad conditions side by side into an SVG file."""
    matplotlib: Any = import_module("matplotlib")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "jobqueue"})
    figure: Any = import_module("matplotlib.figure").Figure(figsize=(12, 3.8))
    drains, latency, conditions = figure.subplots(1, 3)
    _bars(drains, "drained, jobs/s", ("1 process", "2 processes"), _drains(ours, peers))
    # From two milliseconds to whole seconds: only a logarithm has room for both.
    latency.set_xscale("log")
    title = "COMMIT to start, ms, logarithmic"
    _bars(
        latency,
        f"{title}{', idle worker' if peers else ''}",
        ("p50", "p99"),
        _latencies(ours, peers),
    )
    _bars(conditions, "under bad conditions, jobs/s", ("before", "then"), _conditions(ours))
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})


def _drains(ours: Sequence[Line], peers: Sequence[Line]) -> Bars:
    if peers:
        return _by_peer(peers, ("drain.one", "drain.two"))
    rows = {
        "this queue": ("drain.async.rate", "drain.two.rate"),
        "without history": ("drain.no_history.rate", "drain.no_history.two.rate"),
    }
    return _by_name(ours, rows)


def _latencies(ours: Sequence[Line], peers: Sequence[Line]) -> Bars:
    if peers:
        return _by_peer(peers, ("idle.p50", "idle.p99"))
    rows = {
        "idle": ("idle.commit.p50", "idle.commit.p99"),
        "at half load": ("half.commit.p50", "half.commit.p99"),
        "bad conditions": ("steady.idle.p50", "steady.idle.p99"),
    }
    return _by_name(ours, rows)


def _conditions(ours: Sequence[Line]) -> Bars:
    rows = {
        "backlog, history,\nold snapshot": ("steady.clean.rate", "steady.rate"),
        "a million jobs beside\nan open transaction": (
            "steady.million.first",
            "steady.million.last",
        ),
    }
    return _by_name(ours, rows)


def _by_peer(lines: Sequence[Line], measures: Sequence[str]) -> Bars:
    """Give a row for each peer, in the order of the lines: ours is first."""
    medians: dict[str, dict[str, float]] = {}
    for line in lines:
        medians.setdefault(line["title"], {})[line["measure"]] = line["median"]
    return [
        (title, [found[name] for name in measures])
        for title, found in medians.items()
        if all(name in found for name in measures)
    ]


def _by_name(lines: Sequence[Line], rows: dict[str, tuple[str, ...]]) -> Bars:
    medians = {line["name"]: line["median"] for line in lines}
    return [
        (title, [medians[name] for name in names])
        for title, names in rows.items()
        if all(name in medians for name in names)
    ]


def _bars(axes: Any, title: str, series: Sequence[str], bars: Bars) -> None:  # noqa: ANN401 - matplotlib may not be there
    """Draw rows of bars, the first on top."""
    places = range(len(bars))
    for number, name in enumerate(series):
        axes.barh(
            [place + (number - 0.5) * BAR for place in places],
            [lengths[number] for _, lengths in bars],
            height=BAR,
            color=COLOURS[number],
            label=name,
        )
        for place, (_, lengths) in zip(places, bars, strict=True):
            axes.text(
                lengths[number], place + (number - 0.5) * BAR, f" {_short(lengths[number])}",
                va="center", fontsize=7,
            )  # fmt: skip
    axes.set_yticks(list(places), [title for title, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_title(title, fontsize=10, loc="left")
    # The figures stand beside the bars.
    axes.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    if bars:
        axes.legend(fontsize=7, frameon=False, ncols=2, loc="upper right", bbox_to_anchor=(1, 0.02))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
