"""Measure the same work by this queue and by others, in turns: `python -m benchmarks.peers`."""

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

from benchmarks.command_line import count
from benchmarks.database import embedded_server
from benchmarks.peers import report
from benchmarks.peers.database import Server
from benchmarks.peers.environments import prepare
from benchmarks.peers.measures import MEASURES, Amounts, Measure, Subject, try_out
from benchmarks.peers.peer import Peer, PeerError, find_peers
from benchmarks.peers.report import Results
from benchmarks.report import machine, now
from benchmarks.worker_process import ROOT, MeasureError

DEFAULT_OUTPUT = ROOT / "benchmarks" / "results" / "peers.jsonl"
SERVER_FOLDER = ROOT / ".jobqueue" / "bench-peers"

# Into a file or a pipe, the tables are as wide as they need to be.
console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def main() -> int:
    """Read the command line, measure, report. Gives the exit status."""
    peers = find_peers()
    arguments = _parser(peers).parse_args()
    chosen = [peer for peer in peers if not arguments.only or peer.name in arguments.only]
    amounts = Amounts(jobs=arguments.jobs, scheduled=arguments.scheduled)
    about: dict[str, object] = {"machine": machine(), "at": now()}
    with ExitStack() as stack:
        server = Server(stack.enter_context(embedded_server(SERVER_FOLDER)))
        about["postgres"], about["server"] = server.describe()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jobqueue-peers-")))
        failures: list[str] = []
        subjects = _prepare(chosen, server, folder, amounts, failures)
        results = _measure(subjects, arguments.rounds, failures)
    metrics = [metric for measure in MEASURES for metric in measure.metrics]
    report.write_lines(arguments.output, results, metrics, about)
    console.print(report.table(results, metrics))
    console.print(report.ratios(results, metrics))
    console.print(f"PostgreSQL {about['postgres']}\n{about['machine']} {about['server']}")
    console.print(f"written to {arguments.output}")
    for failure in failures:
        console.print(f"[red]no result[/red] {escape(failure)}")
    return 1 if failures else 0


def _prepare(
    peers: Sequence[Peer], server: Server, folder: Path, amounts: Amounts, failures: list[str]
) -> list[Subject]:
    """Make what is missing of the environments, and see that each program makes its schema.

    A peer that cannot is left out, and named.
    """
    subjects: list[Subject] = []
    for peer in peers:
        console.print(f"{peer.title} {peer.version}")
        place = folder / peer.name
        place.mkdir()
        try:
            subject = Subject(peer, prepare(peer), server, place, amounts.of(peer))
            try_out(subject)
        except (PeerError, MeasureError) as error:
            failures.append(f"{peer.name}: {_first_line(error)}")
            console.print(f"  [red]left out[/red] {escape(str(error))}")
        else:
            subjects.append(subject)
    return subjects


def _measure(subjects: Sequence[Subject], rounds: int, failures: list[str]) -> list[Results]:
    """Take each measure of every peer in turn: a slow minute touches all of them.

    A peer that fails at a measure is not asked for it again, and is named.
    """
    results = {one.peer.name: Results(one.peer, one.amounts) for one in subjects}
    failed: set[tuple[str, str]] = set()
    for number in range(1, rounds + 1):
        for measure in MEASURES:
            for subject in subjects:
                name = subject.peer.name
                if (name, measure.name) in failed:
                    continue
                try:
                    _take(measure, subject, results[name], f"round {number}/{rounds}")
                except MeasureError as error:
                    failed.add((name, measure.name))
                    failures.append(f"{name}, {measure.name}: {_first_line(error)}")
                    console.print(f"  [red]no result[/red] {escape(str(error))}")
    return list(results.values())


def _take(measure: Measure, subject: Subject, results: Results, place: str) -> None:
    began = time.monotonic()
    samples = measure.take(subject)
    results.add(samples)
    figures = "  ".join(f"{name} {value:,.1f}" for name, value in samples.items())
    took = time.monotonic() - began
    console.print(f"{place}  {measure.name}  {subject.peer.name}  {figures}  ({took:.1f} s)")


def _parser(peers: Sequence[Peer]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=count, default=3, help="default: %(default)s")
    parser.add_argument(
        "--jobs", type=count, default=Amounts().jobs, help="drained; default: %(default)s"
    )
    parser.add_argument(
        "--scheduled",
        type=count,
        default=Amounts().scheduled,
        help="jobs due later, beside a drain; default: %(default)s",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[peer.name for peer in peers],
        help="measure this alone; repeatable",
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, help="JSON lines; default: %(default)s"
    )
    return parser


def _first_line(error: Exception) -> str:
    """Give what goes under the tables; the rest was printed when it happened."""
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PeerError as error:
        sys.exit(f"no result: {error}")
