"""`jobqueue stats --sampled` and `--watch`: what the leader sampled, cheap whatever is queued."""

from __future__ import annotations

from contextlib import suppress
from time import sleep

from jobqueue.cli.output import console, print_json, print_table, seconds
from jobqueue.store import metrics
from jobqueue.store.metrics import FleetMetrics, QueueMetrics
from jobqueue.store.statement import Execute, run

WATCH_SECONDS = 2.0
# Samples are taken every five seconds.
OLD_SECONDS = 30.0


def show_sampled(execute: Execute, *, as_json: bool, watch: bool) -> None:
    """Show the sample; with `watch` again and again, until the user has seen enough."""
    with suppress(KeyboardInterrupt):
        while True:
            queues = run(execute, metrics.queues())
            [fleet] = run(execute, metrics.fleet())
            if as_json:
                print_json({"queues": queues, "fleet": fleet})
            else:
                if watch and console.is_terminal:
                    console.clear()
                _print(queues, fleet)
            if not watch:
                return
            sleep(WATCH_SECONDS)


def _print(queues: list[QueueMetrics], fleet: FleetMetrics) -> None:
    print_table(
        ("queue", "available", "scheduled", "running", "dead", "oldest waits", "workers",
         "done/s", "failed/s", "first fails", "p50", "p95"),
        (
            (
                one.queue,
                _about(one, one.available),
                _about(one, one.scheduled),
                _about(one, one.running),
                one.dead,
                seconds(one.oldest_seconds),
                one.workers,
                f"{one.completed_per_second:.1f}",
                f"{one.failed_per_second:.1f}",
                None if one.first_failure_share is None else f"{one.first_failure_share:.1%}",
                _short(one.latency_p50_seconds),
                _short(one.latency_p95_seconds),
            )
            for one in queues
        ),
        empty="no queue has been sampled yet",
    )  # fmt: skip
    lost = f" ({fleet.lost_slots} lost)" if fleet.lost_slots else ""
    age = fleet.age_seconds
    sampled = "not sampled yet" if age is None else f"sampled {seconds(age)} ago"
    if age is None or age > OLD_SECONDS:
        sampled += ": OLD, is there a leader?"
    console.print(f"\nworkers: {fleet.workers}, slots: {fleet.slots}{lost}; {sampled}")


def _about(queue: QueueMetrics, number: int) -> str:
    return f"~{number:,}" if queue.estimated else f"{number:,}"


def _short(value: float | None) -> str | None:
    return f"{value * 1000:.0f} ms" if value is not None and value < 1 else seconds(value)
