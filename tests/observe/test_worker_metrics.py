"""What a worker counts, as a scraper reads it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from jobqueue.core.outcome import Kind
from jobqueue.observe.health import Signs
from jobqueue.observe.metrics.labels import OTHER, safe
from jobqueue.observe.metrics.tallies import Tallies
from jobqueue.observe.metrics.worker import Slots, Standing, WorkerMetrics
from jobqueue.store.claims import Claimed

SIGNS = Signs(
    working=True,
    draining=False,
    turned_age=0.1,
    longest_turn_seconds=30,
    database_age=0.2,
    heartbeat_age=3.0,
    heartbeat_seconds=10,
    claim_failed=False,
    silent_seconds=0,
    longest_block_seconds=600,
)
STANDING = Standing({"default": Slots(10, 4, 1, 2)}, True, 5, 1, 2, SIGNS)
ID = "01920000-0000-7000-8000-000000000000"
ENQUEUED = int("019200000000", 16) / 1000


def job(task: str = "mail", queue: str = "default", attempt: int = 1, run_at: float = 0) -> Claimed:
    return Claimed(ID, task, "{}", attempt, 5, queue, 1, 5, run_at)


def scraped(tallies: Tallies) -> dict[tuple[str, tuple[str, ...]], float]:
    """Give each sample's value by its name and the values of its labels, sorted by their names."""
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(tallies, lambda: STANDING, lambda: 7))
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for one in family.samples:
            key = (one.name, tuple(value for _, value in sorted(one.labels.items())))
            assert key not in found, "no series is there twice"
            found[key] = one.value
    return found


def test_attempts_are_counted_by_how_they_ended() -> None:
    tallies = Tallies()
    tallies.clock_ahead = 1000.0
    tallies.completed(job(run_at=1000.0), 2.0, 0.3)
    tallies.ended(job(run_at=1000.0), Kind.RETRIED, 2.0, 0.3)
    tallies.ended(job(attempt=2, run_at=1000.0), Kind.DEAD, 2.0, 0.3)
    tallies.ended(job(run_at=1000.0), Kind.HANDED_BACK, 2.0, 0.3)
    found = scraped(tallies)
    for outcome, count in (("completed", 1), ("retried", 1), ("dead", 1), ("handed_back", 1)):
        assert found["jobqueue_attempts_total", (outcome, "default", "mail")] == count
    assert found["jobqueue_first_attempts_total", ("default",)] == 2
    assert found["jobqueue_first_attempt_failures_total", ("default",)] == 1
    assert found["jobqueue_run_seconds_count", ("default", "mail")] == 4
    assert found["jobqueue_wait_seconds_sum", ("default",)] == pytest.approx(8.0)
    assert found["jobqueue_wait_seconds_bucket", ("1.0", "default")] == 0
    assert found["jobqueue_wait_seconds_bucket", ("2.5", "default")] == 4
    assert found["jobqueue_wait_seconds_bucket", ("+Inf", "default")] == 4
    assert found["jobqueue_latency_seconds_sum", ("default",)] == pytest.approx(2.3)


def test_the_latency_of_a_retried_job_counts_from_when_it_was_enqueued() -> None:
    tallies = Tallies()
    tallies.clock_ahead = ENQUEUED
    tallies.completed(job(attempt=2, run_at=ENQUEUED + 10), 11.0, 0.5)
    found = scraped(tallies)
    assert found["jobqueue_wait_seconds_sum", ("default",)] == pytest.approx(1.0)
    assert found["jobqueue_latency_seconds_sum", ("default",)] == pytest.approx(11.5)


def test_ten_thousand_tasks_are_a_few_hundred_labels() -> None:
    tallies = Tallies(most_tasks=200, most_queues=3)
    for number in range(10_000):
        tallies.completed(job(f"task_{number}", f"queue_{number % 5}"), 0.0, 0.001)
    found = scraped(tallies)
    tasks = {labels[2] for name, labels in found if name == "jobqueue_attempts_total"}
    queues = {labels[1] for name, labels in found if name == "jobqueue_attempts_total"}
    assert (len(tasks), len(queues)) == (201, 4)
    assert OTHER in tasks & queues
    completed = [found[key] for key in found if key[0] == "jobqueue_attempts_total"]
    assert sum(completed) == 10_000


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x00", "\ud800", "é🐘", "x" * 200, "{}"])
def test_an_odd_name_is_a_label_all_the_same(name: str) -> None:
    tallies = Tallies()
    tallies.completed(job(name), 0.0, 0.001)
    assert scraped(tallies)["jobqueue_attempts_total", ("completed", "default", safe(name))] == 1
    assert len(safe(name)) <= 100


def test_names_that_look_the_same_are_counted_together() -> None:
    tallies = Tallies()
    tallies.completed(job("a\x00"), 0.0, 0.001)
    tallies.completed(job("a\x01"), 0.0, 0.001)
    assert scraped(tallies)["jobqueue_attempts_total", ("completed", "default", "a\ufffd")] == 2


def test_slots_losses_and_the_leader_are_told() -> None:
    found = scraped(Tallies())
    assert found["jobqueue_slots", ("default",)] == 10
    assert found["jobqueue_slots_used", ("default",)] == 4
    assert found["jobqueue_slots_lost", ("default",)] == 1
    assert found["jobqueue_jobs_in_hand", ("default",)] == 2
    assert found["jobqueue_leader", ()] == 1
    assert found["jobqueue_connection_losses_total", ()] == 1
    assert found["jobqueue_process_losses_total", ()] == 2
    assert found["jobqueue_log_lines_dropped_total", ()] == 7
