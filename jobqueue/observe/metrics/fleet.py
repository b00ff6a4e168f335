"""The metrics of the fleet, read from what its leader has sampled and its workers have counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

import psycopg
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from jobqueue.core.errors import SchemaError, one_line
from jobqueue.observe.metrics.families import counter, gauge, gauges
from jobqueue.observe.metrics.labels import safe
from jobqueue.store import maintenance, metrics
from jobqueue.store.database import check_schema, executor, to_conninfo, worker_conninfo
from jobqueue.store.metrics import FleetMetrics, QueueMetrics
from jobqueue.store.statement import run

log = logging.getLogger("jobqueue.exporter")

READ_SECONDS = 2.0
# What was read longer ago is not shown any more: the database does not answer.
SHOWN_SECONDS = 15.0
# What was sampled longer ago is not shown any more: there is no leader, or it cannot sample.
SAMPLE_SHOWN_SECONDS = 60.0
MOST_QUEUES = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read at a moment, by `monotonic`."""

    at: float
    queues: Sequence[QueueMetrics]
    fleet: FleetMetrics
    leads: bool


class FleetReader:
    """Reads the small tables of metrics every few seconds, in a thread, through any outage."""

    def __init__(self, url: str | None) -> None:
        self._conninfo = worker_conninfo(to_conninfo(url, application_name="jobqueue exporter"))
        self._stop = threading.Event()
        self.seen: Seen | None = None
        """what was read last, if anything was"""
        self.failed = True
        """whether the last time failed"""

    def start(self) -> None:
        """Read from now on."""
        threading.Thread(target=self._work, name="jobqueue reader", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._read_on()
            except (psycopg.Error, SchemaError) as error:
                if not self.failed or self.seen is None:
                    log.warning("database: not read (%s); trying again", one_line(error))
                self.failed = True
            self._stop.wait(READ_SECONDS)

    def _read_on(self) -> None:
        """Read until that fails. Raises psycopg.Error, SchemaError."""
        # A server in recovery has the tables as well.
        with psycopg.connect(
            self._conninfo, autocommit=True, target_session_attrs="any", prepare_threshold=None
        ) as connection:
            execute = executor(connection)
            check_schema(execute)
            while not self._stop.is_set():
                queues = run(execute, metrics.queues())
                [fleet] = run(execute, metrics.fleet())
                leads = bool(run(execute, maintenance.leader()))
                self.seen = Seen(monotonic(), queues, fleet, leads)
                self.failed = False
                self._stop.wait(READ_SECONDS)


class FleetMetricsCollector(Collector):
    """Shows what a reader has read. What is too old is left out, and its age is shown."""

    def __init__(self, reader: FleetReader) -> None:
        self._reader = reader

    def describe(self) -> Iterator[Metric]:
        """Describe nothing before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give every metric whose value is known."""
        seen = self._reader.seen
        age = None if seen is None else monotonic() - seen.at
        reached = age is not None and age < SHOWN_SECONDS and not self._reader.failed
        yield gauge("jobqueue_database_up", "Whether the database answers.", reached)
        if seen is None or age is None:
            return
        if seen.fleet.age_seconds is not None:
            yield gauge(
                "jobqueue_sample_age_seconds",
                "Since the leader last sampled queues; after a minute their numbers are left out.",
                seen.fleet.age_seconds + age,
            )
        if not reached:
            return
        yield from _fleet(seen)
        if seen.fleet.age_seconds is not None and seen.fleet.age_seconds < SAMPLE_SHOWN_SECONDS:
            yield from _sampled(seen.fleet)
            yield from _queues(seen.queues[:MOST_QUEUES])


def _fleet(seen: Seen) -> Iterator[Metric]:
    fleet = seen.fleet
    for name, what, value in (
        ("workers", "Workers whose lease lasts.", fleet.workers),
        ("workers_draining", "Those of them that take no more jobs.", fleet.draining),
        ("slots", "Jobs that may run at once.", fleet.slots),
        ("slots_lost", "Slots held by jobs that do not stop.", fleet.lost_slots),
        ("has_leader", "Whether some worker is the leader.", seen.leads),
    ):
        yield gauge(f"jobqueue_fleet_{name}", what, value)


def _sampled(fleet: FleetMetrics) -> Iterator[Metric]:
    yield gauge("jobqueue_sample_seconds", "How long a sample took.", (fleet.took_ms or 0) / 1000)
    yield counter(
        "jobqueue_jobs_inserted",
        "Jobs that came in, those of transactions rolled back too, since statistics began.",
        fleet.jobs_inserted or 0,
    )
    yield counter(
        "jobqueue_jobs_deleted",
        "Jobs that ended, since statistics began.",
        fleet.jobs_deleted or 0,
    )
    yield gauge(
        "jobqueue_dead_tuples",
        "Versions of jobs that vacuum has not cleared away.",
        fleet.dead_tuples or 0,
    )
    yield gauge(
        "jobqueue_oldest_transaction_seconds",
        "Age of the oldest transaction in this database that holds back vacuum.",
        fleet.oldest_transaction_seconds or 0,
    )
    yield gauge(
        "jobqueue_schedules_late",
        "Schedules with a tick that is due and not decided about.",
        fleet.late_schedules or 0,
    )
    yield gauge(
        "jobqueue_schedule_late_seconds",
        "How late the latest of them is.",
        fleet.schedule_late_seconds or 0,
    )


def _queues(queues: Sequence[QueueMetrics]) -> Iterator[Metric]:
    labelled = list({safe(one.queue): one for one in queues}.items())
    yield gauges(
        "jobqueue_queue_jobs",
        "Jobs by state; dead letters are dead.",
        ("queue", "state"),
        (
            ((label, state), getattr(one, state))
            for label, one in labelled
            for state in ("available", "scheduled", "running", "gated", "blocked", "dead")
        ),
    )
    for name, what, of in (
        ("estimated", "Whether its numbers are estimates.", "estimated"),
        ("oldest_seconds", "For how long its oldest job waits; 0: none.", "oldest_seconds"),
        ("workers", "Workers that serve it.", "workers"),
        ("completed_per_second", "In the last five minutes.", "completed_per_second"),
        ("failed_per_second", "In the last five minutes.", "failed_per_second"),
    ):
        yield gauges(
            f"jobqueue_queue_{name}",
            what,
            ("queue",),
            (((label,), getattr(one, of) or 0) for label, one in labelled),
        )
    yield gauges(
        "jobqueue_queue_first_failure_share",
        "Share of jobs whose first attempt failed, in the last five minutes.",
        ("queue",),
        (
            ((label,), one.first_failure_share)
            for label, one in labelled
            if one.first_failure_share is not None
        ),
    )
    yield gauges(
        "jobqueue_queue_latency_seconds",
        "From enqueue, or when due, to completion, in the last five minutes.",
        ("queue", "quantile"),
        (
            ((label, quantile), value)
            for label, one in labelled
            for quantile, value in (
                ("0.5", one.latency_p50_seconds),
                ("0.95", one.latency_p95_seconds),
                ("0.99", one.latency_p99_seconds),
            )
            if value is not None
        ),
    )
