"""Measure everything, round by round, and report: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.database import Server, embedded_server
from benchmarks.drain import drain
from benchmarks.enqueue import in_bulk, one_by_one
from benchmarks.latency import idle_latency
from benchmarks.measure import Bench, Group, Options, Series
from benchmarks.worker_process import ROOT, MeasureError

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "latest.jsonl"
SERVER_FOLDER = ROOT / ".jobqueue" / "bench"
GROUPS = {"single": one_by_one, "bulk": in_bulk, "drain": drain, "latency": idle_latency}

# Into a file or a pipe, the table is as wide as it needs to be.
console = Console(width=None if sys.stdout.isatty() else 120)


def main() -> int:
    """Read the command line, measure, report. Gives the exit status."""
    arguments = _parser().parse_args()
    options = Options(
        rounds=arguments.rounds,
        jobs=arguments.jobs,
        threaded_jobs=min(arguments.jobs, Options().threaded_jobs),
    )
    groups = [GROUPS[name](options) for name in arguments.only or GROUPS]
    about: dict[str, object] = {"machine": report.machine(), "at": _now()}
    with ExitStack() as stack:
        url = arguments.database_url or stack.enter_context(embedded_server(SERVER_FOLDER))
        server = Server(url)
        postgres, about["server"] = server.describe()
        about["versions"] = report.versions(postgres)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="jobqueue-bench-"))
        stack.enter_context(server.template())
        try:
            series = _measure(groups, options.rounds, Bench(server, Path(folder)))
        except MeasureError as error:
            console.print(f"[red]no result[/red] {error}")
            return 1
    report.write_lines(arguments.output, series, about)
    console.print(report.table(series))
    console.print(f"{about['versions']}\n{about['machine']} {about['server']}", highlight=False)
    console.print(f"written to {arguments.output}", highlight=False)
    return 0


def _measure(groups: Sequence[Group], rounds: int, bench: Bench) -> list[Series]:
    """Measure every group once, then every group again: a slow minute touches one round of each."""
    series = {metric.name: Series(group, metric) for group in groups for metric in group.metrics}
    for number in range(1, rounds + 1):
        for group in groups:
            began = time.monotonic()
            for name, value in group.measure(bench).items():
                series[name].values.append(value)
            took = time.monotonic() - began
            console.print(f"round {number}/{rounds}  {group.name}  ({took:.1f} s)", highlight=False)
    return list(series.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=_count, default=Options().rounds, help="default: %(default)s"
    )
    parser.add_argument(
        "--jobs",
        type=_count,
        default=Options().jobs,
        help="in bulk and drained; default: %(default)s",
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, help="JSON lines; default: %(default)s"
    )
    parser.add_argument(
        "--database-url",
        help="a server in which databases may be created; default: an embedded one",
    )
    parser.add_argument(
        "--only", action="append", choices=list(GROUPS), help="measure this alone; repeatable"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return number


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main())
