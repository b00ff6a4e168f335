"""Measure everything, round by round, and report: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import report
from benchmarks.command_line import count
from benchmarks.concurrent import concurrent
from benchmarks.cost import cost
from benchmarks.database import Server, embedded_server
from benchmarks.drain import drain
from benchmarks.enqueue import in_bulk, one_by_one
from benchmarks.half_load import half_load
from benchmarks.idle_cost import idle_cost
from benchmarks.latency import idle_latency
from benchmarks.limits import limits
from benchmarks.measure import Bench, Group, Options, Series
from benchmarks.no_history import no_history
from benchmarks.observed import observed
from benchmarks.pools import pools
from benchmarks.recovery import recovery
from benchmarks.schedules import schedules
from benchmarks.steady import bad_conditions, long_drain
from benchmarks.two_workers import two_workers
from benchmarks.worker_process import ROOT, MeasureError

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "latest.jsonl"
SERVER_FOLDER = ROOT / ".jobqueue" / "bench"
GROUPS = {
    "single": one_by_one,
    "concurrent": concurrent,
    "bulk": in_bulk,
    "drain": drain,
    "two": two_workers,
    "no-history": no_history,
    "pools": pools,
    "observed": observed,
    "cost": cost,
    "half-load": half_load,
    "latency": idle_latency,
    "steady": bad_conditions,
    "long": long_drain,
    "idle": idle_cost,
    "recovery": recovery,
    "schedules": schedules,
    "limits": limits,
}

# Into a file or a pipe, the table is as wide as it needs to be.
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def main() -> int:
    """Read the command line, measure, report. Gives the exit status."""
    arguments = _parser().parse_args()
    options = Options(
        rounds=arguments.rounds,
        jobs=arguments.jobs,
        threaded_jobs=min(arguments.jobs, Options().threaded_jobs),
        backlog=arguments.backlog,
        long_jobs=arguments.long_jobs,
    )
    groups = [GROUPS[name](options) for name in arguments.only or GROUPS]
    about: dict[str, object] = {"machine": report.machine(), "at": report.now()}
    with ExitStack() as stack:
        url = arguments.database_url or stack.enter_context(embedded_server(SERVER_FOLDER))
        server = Server(url)
        postgres, about["server"] = server.describe()
        about["versions"] = report.versions(postgres)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="jobqueue-bench-"))
        stack.enter_context(server.template())
        failures: list[str] = []
        series = measure(groups, options.rounds, Bench(server, Path(folder)), failures)
    output = arguments.output or (None if arguments.only else DEFAULT_OUTPUT)
    console.print(report.table(series))
    console.print(f"{about['versions']}\n{about['machine']} {about['server']}")
    if output is not None:
        report.write_lines(output, series, about)
        console.print(f"written to {output}")
    for failure in failures:
        console.print(f"[red]no result[/red] {escape(failure)}")
    return 1 if failures else 0


def measure(
    groups: Sequence[Group], rounds: int, bench: Bench, failures: list[str]
) -> list[Series]:
    """Measure every group once, then every group again: a slow minute touches one round of each.

    One that comes to no result is left out from then on, and the reason added to `failures`.
    """
    series = {metric.name: Series(group, metric) for group in groups for metric in group.metrics}
    left = list(groups)
    for number in range(1, rounds + 1):
        for group in [one for one in left if number <= (one.most_rounds or rounds)]:
            began = time.monotonic()
            try:
                samples = group.measure(bench)
            except MeasureError as error:
                failures.append(f"{group.name}: {error}")
                left.remove(group)
                continue
            for name, value in samples.items():
                series[name].values.append(value)
            took = time.monotonic() - began
            console.print(f"round {number}/{rounds}  {group.name}  ({took:.1f} s)")
    return [one for one in series.values() if one.values]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=count, default=Options().rounds, help="default: %(default)s"
    )
    parser.add_argument(
        "--jobs",
        type=count,
        default=Options().jobs,
        help="in bulk and drained; default: %(default)s",
    )
    parser.add_argument(
        "--backlog",
        type=count,
        default=Options().backlog,
        help="jobs due later, and rows of history, under bad conditions; default: %(default)s",
    )
    parser.add_argument(
        "--long-jobs",
        type=count,
        default=Options().long_jobs,
        help="drained beside an open transaction; default: %(default)s",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"JSON lines; default: {DEFAULT_OUTPUT}, and with --only none",
    )
    parser.add_argument(
        "--database-url",
        help="a server in which databases may be created; default: an embedded one",
    )
    parser.add_argument(
        "--only", action="append", choices=list(GROUPS), help="measure this alone; repeatable"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
