"""Write the results into docs/performance.md, and draw them: `python -m benchmarks.document`.

What stands there between two comments is replaced; the prose around it is left alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.report import figure
from benchmarks.worker_process import ROOT

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
BEGIN = "<!-- figures: written by python -m benchmarks.document -->"
END = "<!-- end of figures -->"

Line = dict[str, Any]


def main() -> int:
    """Rewrite the figures. Gives the exit status."""
    ours, peers = read(RESULTS / "latest.jsonl"), read(RESULTS / "peers.jsonl")
    if not ours:
        print(f"{RESULTS / 'latest.jsonl'}: nothing there; run python -m benchmarks first")
        return 1
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_figures(text, figures(ours, peers)), encoding="utf-8")
    print(f"written to {DOCUMENT}")
    if not plot.available():
        print("no plot: matplotlib is not installed; run: .venv/bin/pip install --group plot")
        return 1
    plot.draw(PLOT, ours, peers)
    print(f"drawn in {PLOT}")
    return 0


def read(path: Path) -> list[Line]:
    """Give the results in a file of JSON lines; none if it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def with_figures(text: str, written: str) -> str:
    """Put `written` where the figures are in `text`. Raises ValueError if there is no place."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT}: has no {BEGIN!r} followed by {END!r}; put them in")
    return f"{before}{BEGIN}\n\n{written}\n\n{END}{after}"


def figures(ours: Sequence[Line], peers: Sequence[Line]) -> str:
    """Write both tables, and what they were measured on."""
    parts = [_about(ours[0]), _table(_our_rows(ours))]
    if peers:
        parts += [_about(peers[0]), _table(_peer_rows(peers)), _notes(peers)]
    return "\n\n".join(parts)


def _about(line: Line) -> str:
    machine, server = line["machine"], line["server"]
    versions = line.get("versions") or {"postgres": line.get("postgres")}
    named = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    settings = ", ".join(f"{name} = {value}" for name, value in server.items())
    return (
        f"Measured {line['at'][:10]} on {machine['cpus']} cores ({machine['architecture']}, load "
        f"before: {machine['load_before']}) with {named}; {settings}."
    )


def _our_rows(lines: Iterable[Line]) -> Iterator[Sequence[str]]:
    yield "measure", "median", "range", "unit", "target"
    for group, members in groupby(lines, key=lambda line: line["group"]):
        yield f"**{group}**", "", "", "", ""
        for line in members:
            yield (
                line["meaning"],
                figure(line["median"]),
                f"{figure(line['min'])} to {figure(line['max'])}" if line["rounds"] > 1 else "",
                line["unit"],
                _target(line),
            )


def _target(line: Line) -> str:
    if line["target"] is None:
        return ""
    least, most = "at least", "at most"
    met = (
        line["median"] <= line["target"]
        if line["less_is_better"]
        else line["median"] >= line["target"]
    )
    bound = f"{most if line['less_is_better'] else least} {line['target']:,g}"
    return bound if met else f"{bound}: missed"


def _peer_rows(lines: Sequence[Line]) -> Iterator[Sequence[str]]:
    measures = list(dict.fromkeys((line["measure"], line["unit"]) for line in lines))
    yield "queue", "history", "jobs", *[f"{name}, {unit}" for name, unit in measures]
    for _, members in groupby(lines, key=lambda line: line["peer"]):
        found = list(members)
        medians = {line["measure"]: figure(line["median"]) for line in found}
        yield (
            f"{found[0]['title']} {found[0]['version']}",
            found[0]["history"],
            f"{found[0]['jobs']:,}",
            *[medians.get(name, "") for name, _ in measures],
        )


def _notes(lines: Sequence[Line]) -> str:
    """Write how each was set up."""
    return "\n".join(
        f"- {line['title']}: {_settings(line['settings'])}. {line['note']}"
        for line in {line["peer"]: line for line in lines}.values()
    )


def _settings(settings: Line) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "its defaults"


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    # Figures stand at the right, words at the left.
    rule = ["---", *["---:" for _ in head[1:]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


if __name__ == "__main__":
    sys.exit(main())
