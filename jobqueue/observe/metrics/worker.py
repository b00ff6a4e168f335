"""The metrics of one worker, read from what it counts when it is scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from jobqueue.observe.health import Signs
from jobqueue.observe.metrics.families import counter, counters, gauge, gauges, histogram
from jobqueue.observe.metrics.labels import safe
from jobqueue.observe.metrics.tallies import Tallies


@dataclass(frozen=True, slots=True)
class Slots:
    """Of one queue: how many there are, run a job, are lost, and how many jobs wait for one."""

    there: int
    used: int
    lost: int
    in_hand: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a worker stands at a moment. Losses are since its start."""

    slots: Mapping[str, Slots]
    leads: bool
    unrecorded: int
    connections_lost: int
    processes_lost: int
    signs: Signs


class WorkerMetrics(Collector):
    """standing, lines_dropped: called at each scrape, in the thread that answers it."""

    def __init__(
        self,
        tallies: Tallies,
        standing: Callable[[], Standing],
        lines_dropped: Callable[[], int] = lambda: 0,
    ) -> None:
        self._tallies = tallies
        self._standing = standing
        self._lines_dropped = lines_dropped

    def describe(self) -> Iterator[Metric]:
        """Describe nothing before the first scrape: what there is depends on what has run."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give every metric."""
        yield from self._attempts()
        standing = self._standing()
        yield from _slots(standing.slots)
        signs = standing.signs
        yield gauge("jobqueue_leader", "Whether this worker is the leader.", standing.leads)
        yield gauge(
            "jobqueue_outcomes_unrecorded",
            "Outcomes that the database has not confirmed yet.",
            standing.unrecorded,
        )
        yield counter(
            "jobqueue_connection_losses",
            "Connections to the database that were found broken.",
            standing.connections_lost,
        )
        yield counter(
            "jobqueue_process_losses",
            "Child processes that died with a job in them.",
            standing.processes_lost,
        )
        yield counter(
            "jobqueue_log_lines_dropped",
            "Lines of the log that could not be written in time.",
            self._lines_dropped(),
        )
        yield gauge(
            "jobqueue_heartbeat_age_seconds",
            "Since the lease was last renewed.",
            signs.heartbeat_age,
        )
        yield gauge(
            "jobqueue_database_age_seconds",
            "Since the database last answered a claim or a heartbeat.",
            signs.database_age,
        )

    def _attempts(self) -> Iterator[Metric]:
        self._tallies.count()
        tasks = list(self._tallies.tasks.items())
        queues = [((label,), tally) for label, tally in list(self._tallies.queues.items())]
        yield counters(
            "jobqueue_attempts",
            "Attempts by how they ended.",
            ("queue", "task", "outcome"),
            (
                ((*label, kind.value), count)
                for label, tally in tasks
                for kind, count in tally.outcomes().items()
            ),
        )
        yield histogram(
            "jobqueue_run_seconds",
            "How long attempts ran.",
            ("queue", "task"),
            ((label, tally.runs) for label, tally in tasks),
        )
        yield histogram(
            "jobqueue_wait_seconds",
            "From when a job was due to the start of its attempt.",
            ("queue",),
            ((label, tally.waits) for label, tally in queues),
        )
        yield histogram(
            "jobqueue_latency_seconds",
            "From when a job was enqueued, or due if later, to its completion.",
            ("queue",),
            ((label, tally.latencies) for label, tally in queues),
        )
        yield counters(
            "jobqueue_first_attempts",
            "Jobs that had their first attempt.",
            ("queue",),
            ((label, tally.first) for label, tally in queues),
        )
        yield counters(
            "jobqueue_first_attempt_failures",
            "Jobs whose first attempt failed.",
            ("queue",),
            ((label, tally.first_failures) for label, tally in queues),
        )


def _slots(slots: Mapping[str, Slots]) -> Iterator[Metric]:
    by_label = [((safe(queue),), one) for queue, one in slots.items()]
    yield gauges(
        "jobqueue_slots",
        "Jobs that may run at once.",
        ("queue",),
        ((label, one.there) for label, one in by_label),
    )
    yield gauges(
        "jobqueue_slots_used",
        "Jobs that run now.",
        ("queue",),
        ((label, one.used) for label, one in by_label),
    )
    yield gauges(
        "jobqueue_slots_lost",
        "Slots held by jobs that do not stop.",
        ("queue",),
        ((label, one.lost) for label, one in by_label),
    )
    yield gauges(
        "jobqueue_jobs_in_hand",
        "Jobs that are claimed and wait for a slot.",
        ("queue",),
        ((label, one.in_hand) for label, one in by_label),
    )
