"""The alerts for Prometheus fire when they should, and clear; the dashboard asks for what there is.

`promtool` (Debian: prometheus) plays each rule; without it the tests say that it is missing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jobqueue.core.outcome import Kind
from jobqueue.observe.metrics.fleet import FleetMetricsCollector, FleetReader, Seen
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.observe.metrics.worker import WorkerMetrics
from jobqueue.store.metrics import FleetMetrics, QueueMetrics
from tests.observe.test_worker_metrics import STANDING, job

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "jobqueue.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "jobqueue.json"
TEXT = RULES.read_text()
ALERTS = re.findall(r"- alert: (\w+)", TEXT)

QUEUE = 'queue="email"'
# Of each alert: the series, its values by the minute while all is well and while it is not, after
# how many minutes of that it fires, and the labels it has.
CASES: dict[str, tuple[str, str, str, int, dict[str, str]]] = {
    "JobqueueQueueDeep": (
        f'jobqueue_queue_jobs{{{QUEUE},state="available"}}', "5000", "5001", 5, {"queue": "email"},
    ),
    "JobqueueDeadLetters": (
        f'jobqueue_queue_jobs{{{QUEUE},state="dead"}}', "0", "1", 0, {"queue": "email"},
    ),
    "JobqueueFailingSome": (
        f"jobqueue_queue_first_failure_share{{{QUEUE}}}", "0.02", "0.03", 5, {"queue": "email"},
    ),
    "JobqueueFailing": (
        f"jobqueue_queue_first_failure_share{{{QUEUE}}}", "0.05", "0.06", 5, {"queue": "email"},
    ),
    "JobqueueSlow": (
        f'jobqueue_queue_latency_seconds{{{QUEUE},quantile="0.95"}}', "60", "61", 5,
        {"queue": "email"},
    ),
    "JobqueueOldestWaits": (
        f"jobqueue_queue_oldest_seconds{{{QUEUE}}}", "300", "301", 1, {"queue": "email"},
    ),
    "JobqueueNoWorker": ("jobqueue_fleet_workers", "1", "0", 1, {}),
    "JobqueueQueueNotServed": (
        f"jobqueue_queue_workers{{{QUEUE}}}", "1", "0", 2, {"queue": "email"},
    ),
    "JobqueueNoLeader": ("jobqueue_fleet_has_leader", "1", "0", 1, {}),
    "JobqueueScheduleLate": ("jobqueue_schedule_late_seconds", "60", "61", 1, {}),
    "JobqueueSampleOld": ("jobqueue_sample_age_seconds", "60", "61", 1, {}),
    "JobqueueVacuumHeldBack": ("jobqueue_oldest_transaction_seconds", "1800", "1801", 0, {}),
    "JobqueueDatabaseDown": ("jobqueue_database_up", "1", "0", 1, {}),
    "JobqueueExporterDown": ("jobqueue_database_up", "1", "_", 2, {}),
}  # fmt: skip
# What must be true beside it.
BESIDE = {
    "JobqueueQueueNotServed": f'jobqueue_queue_jobs{{{QUEUE},state="available"}}',
    "JobqueueNoLeader": "jobqueue_fleet_workers",
}
MINUTES = 20


def promtool(*words: str | Path) -> str:
    """Run it, and give what it says; it must find nothing wrong."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing: apt-get install prometheus")
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_rule_has_a_case_and_a_remedy() -> None:
    assert CASES.keys() == set(ALERTS)
    assert TEXT.count("remedy:") == TEXT.count("summary:") == len(ALERTS)


def test_the_rules_are_valid() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES)
    promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_clears(alert: str, tmp_path: Path) -> None:
    series, well, ill, after, labels = CASES[alert]
    # A gap longer than five minutes is needed for a series to be absent.
    gone = ill == "_"
    began = MINUTES
    fires = began + after + (6 if gone else 0)
    ended = fires + 5
    values = " ".join([well] * began + [ill] * (ended - began) + [well] * MINUTES)
    inputs: list[dict[str, Any]] = [{"series": series, "values": values}]
    if alert in BESIDE:
        inputs.append({"series": BESIDE[alert], "values": f"3x{ended + MINUTES}"})
    severity = re.search(rf"alert: {alert}\n.*?severity: (\w+)", TEXT, re.DOTALL)
    assert severity is not None
    expected = [{"exp_labels": {**labels, "severity": severity[1]}}]
    moments = [(began - 1, False), (fires + 1, True), (ended - 1, True), (ended + 1, False)]
    if after:
        moments.append((began + after - 1, False))
    tests = [
        {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected if on else []}
        for minute, on in moments
    ]
    # Annotations are not compared: they are words.
    rules = tmp_path / "rules.yml"
    rules.write_text(re.sub(r"\n +annotations:(\n {10}.*)+", "", TEXT))
    played = {
        "rule_files": [str(rules)],
        "evaluation_interval": "15s",
        "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": tests}],
    }
    (tmp_path / "test.yml").write_text(json.dumps(played))
    promtool("test", "rules", tmp_path / "test.yml")


def shown() -> Iterator[str]:
    """Give the names of all series that exporter and worker show."""
    reader = FleetReader("postgresql://localhost/nowhere")
    queue = QueueMetrics(
        "email", 1, 1, 1, 1, 1, 1, False, 1.0, 1, 1.0, 1.0, 0.1, 0.1, 0.2, 0.3, 1.0
    )
    fleet = FleetMetrics(1, 0, 10, 0, 5, 4, 3, 2.0, 1, 1.0, 1.0, 1.0)
    reader.seen = Seen(time.monotonic(), [queue], fleet, leads=True)
    reader.failed = False
    tallies = Tallies()
    tallies.completed(job(), 0.0, 0.1)
    tallies.ended(job(), Kind.DEAD, 0.0, 0.1)
    registry = CollectorRegistry()
    registry.register(FleetMetricsCollector(reader))
    registry.register(WorkerMetrics(tallies, lambda: STANDING))
    for line in generate_latest(registry).decode().splitlines():
        if not line.startswith("#"):
            yield re.split(r"[{ ]", line)[0]


def asked(text: str) -> set[str]:
    return set(re.findall(r"\bjobqueue_[a-z0-9_]+", text))


def test_rules_and_dashboard_ask_for_what_is_shown() -> None:
    there = set(shown())
    expressions = "\n".join(re.findall(r"expr: (.*(?:\n {10}\S.*)*)", TEXT))
    panels = json.loads(DASHBOARD.read_text())["panels"]
    charts = "\n".join(target["expr"] for panel in panels for target in panel["targets"])
    assert asked(expressions) <= there
    assert asked(charts) <= there
    assert len(asked(charts)) > 15


def test_the_dashboard_can_be_looked_at_by_queue() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert [one["name"] for one in dashboard["templating"]["list"]] == ["datasource", "queue"]
    titles = {panel["title"] for panel in dashboard["panels"]}
    assert {"Depth", "Throughput", "Failure rate", "Dead letters", "Latency"} <= titles
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identities)) == len(identities)
