"""Draining while somebody looks: metrics scraped and lines sampled, and a line for every job."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.draining import Drain, Drained, drain_backlog
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import MeasureError, command
from benchmarks.workload import note_run

SAMPLED = "1%"
SCRAPE_SECONDS = 0.5
UNSEEN = ("--log-jobs", "failed")


def observed(options: Options) -> Group:
    """The same drain unseen, and seen: by a scraper and a sampled log, and by a whole log."""

    def measure(bench: Bench) -> Samples:
        unseen = [_drain(bench, options.jobs, UNSEEN)]
        port = _free_port()
        with _scraped(port):
            address = ("--metrics-port", f"127.0.0.1:{port}")
            seen = _drain(bench, options.jobs, (*address, "--log-jobs", SAMPLED))
        unseen.append(_drain(bench, options.jobs, UNSEEN))
        logged = _logged(bench, options.jobs)
        rate = sum(one.rate for one in unseen) / len(unseen)
        return {
            "observed.off.rate": rate,
            "observed.on.rate": seen.rate,
            "observed.on.of_off": seen.rate / rate,
            "observed.lines.rate": logged.rate,
            "observed.lines.of_off": logged.rate / rate,
        }

    return Group(
        "drain while observed",
        (
            Metric("observed.off.rate", "jobs/s", "no line for a job, no port for metrics"),
            Metric("observed.on.rate", "jobs/s", "scraped, and a line for one job in a hundred"),
            Metric("observed.on.of_off", "x", "the one over the other", 0.9),
            Metric("observed.lines.rate", "jobs/s", "a line of JSON for each, to a file", 12_000),
            Metric("observed.lines.of_off", "x", "with all lines, over without any"),
        ),
        {
            "jobs": options.jobs,
            "worker": f"python {' '.join(command())}",
            "sampled": SAMPLED,
            "scraped_every_seconds": SCRAPE_SECONDS,
        },
        measure,
    )


def _drain(bench: Bench, count: int, options: Sequence[str]) -> Drained:
    return drain_backlog(bench, note_run, count, options=options)


def _logged(bench: Bench, count: int) -> Drained:
    """Drain with a line for each job; raise MeasureError unless each is in the file, once."""
    with bench.server.fresh("drain") as url, Drain.on(url, note_run, bench.folder) as drain:
        drain.enqueue(count)
        with drain.workers(url, most_runs=2 * count, options=("--log-jobs", "all")):
            drained = drain.finish()
        drain.check()
        path = bench.folder / f"{note_run.name}-0.worker.log"
        _check_lines(path, count)
    return drained


def _check_lines(path: Path, count: int) -> None:
    with path.open("rb") as lines:
        ended = [one for one in map(json.loads, lines) if one.get("outcome") == "completed"]
    if not len(ended) == len({one["job_id"] for one in ended}) == count:
        raise MeasureError(f"log: {len(ended)} lines of completed jobs, {count} were enqueued")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _scraped(port: int) -> Generator[None]:
    """Scrape a worker until the end of the block. Raises MeasureError if it never answered."""
    stop = threading.Event()
    answers: list[int] = []

    def scrape() -> None:
        while not stop.wait(SCRAPE_SECONDS):
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer,
            ):
                answers.append(len(answer.read()))

    scraper = threading.Thread(target=scrape, daemon=True)
    scraper.start()
    yield
    stop.set()
    scraper.join()
    if not answers:
        raise MeasureError("metrics: the worker was never scraped")
