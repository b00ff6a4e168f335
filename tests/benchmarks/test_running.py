"""A run of the benchmarks in small: it measures, and its lines say what they should."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import GROUPS, measure
from benchmarks.measure import Bench, Group, Metric, Options, Samples
from benchmarks.worker_process import MeasureError

ROOT = Path(__file__).parent.parent.parent


def run(server_url: str, output: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    only = [word for group in groups for word in ("--only", group)]
    return subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--database-url", server_url),
            *("--rounds", "1", "--jobs", "500", *only, "--output", str(output)),
        ],
        check=False,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("package", ["benchmarks", "benchmarks.peers", "benchmarks.document"])
def test_a_python_without_what_they_need_is_told_which_to_take(package: str) -> None:
    bare = [sys.executable, "-S", "-m", package]  # without the packages of its environment
    done = subprocess.run(bare, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "run `make setup`, then .venv/bin/python" in line


def test_the_programs_of_peers_need_nothing_of_ours() -> None:
    """Each runs in an environment that has its own packages and no others."""
    bare = [sys.executable, "-S", "-c", "import benchmarks.peers.python_program"]
    done = subprocess.run(bare, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_drain_and_bulk_come_to_results(server_url: str, tmp_path: Path) -> None:
    output = tmp_path / "results.jsonl"
    finished = run(server_url, output, "drain", "bulk")
    assert finished.returncode == 0, finished.stdout
    found = {line["name"]: line for line in lines(output)}
    assert set(found) == {
        "drain.async.rate",
        "drain.burst.rate",
        "drain.threads.rate",
        "drain.raw.rate",
        "drain.async.of_raw",
        "worker.memory",
        "enqueue.many.rate",
        "enqueue.bulk.rate",
    }
    for line in found.values():
        assert line["median"] > 0
        assert line["rounds"] == len(line["values"]) == 1
        assert line["versions"]["jobqueue"]


def test_a_measure_without_result_leaves_those_of_others() -> None:
    def broken(_: Bench) -> Samples:
        raise MeasureError("one of the workers had nothing left to do")

    def group(name: str, measure: Callable[[Bench], Samples], most_rounds: int | None) -> Group:
        return Group(name, (Metric(name, "s", name),), {}, measure, most_rounds)

    groups = [
        group("first", lambda _: {"first": 1.0}, None),
        group("broken", broken, None),
        group("once", lambda _: {"once": 2.0}, 1),
    ]
    failures: list[str] = []
    bench: Any = None
    series = measure(groups, 3, bench, failures)
    assert {one.metric.name: one.values for one in series} == {"first": [1.0] * 3, "once": [2.0]}
    assert failures == ["broken: one of the workers had nothing left to do"]


def test_every_metric_has_a_name_of_its_own() -> None:
    groups = [make(Options()) for make in GROUPS.values()]
    names = [metric.name for group in groups for metric in group.metrics]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", GROUPS)
def test_the_rows_of_a_group_can_be_told_apart(name: str) -> None:
    meanings = [metric.meaning for metric in GROUPS[name](Options()).metrics]
    assert len(set(meanings)) == len(meanings)
