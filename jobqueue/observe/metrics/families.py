"""What both kinds of metrics are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from jobqueue.observe.metrics.tallies import BOUNDS, Times

Labelled = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, what: str, value: float) -> Metric:
    """Give a number without labels."""
    return GaugeMetricFamily(name, what, value=value)


def gauges(name: str, what: str, labels: Sequence[str], values: Labelled) -> Metric:
    """Give a number for each of several labels."""
    family = GaugeMetricFamily(name, what, labels=labels)
    for label, value in values:
        family.add_metric(label, value)
    return family


def counter(name: str, what: str, value: float) -> Metric:
    """Give a count without labels."""
    return CounterMetricFamily(name, what, value=value)


def counters(name: str, what: str, labels: Sequence[str], values: Labelled) -> Metric:
    """Give a count for each of several labels."""
    family = CounterMetricFamily(name, what, labels=labels)
    for label, value in values:
        family.add_metric(label, value)
    return family


def histogram(
    name: str, what: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Times]]
) -> Metric:
    """Give a histogram of times for each of several labels."""
    family = HistogramMetricFamily(name, what, labels=labels)
    for label, times in values:
        so_far = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*BOUNDS, inf), times.counts, strict=True):
            so_far += count
            buckets.append(("+Inf" if bound == inf else str(bound), so_far))
        family.add_metric(label, buckets=buckets, sum_value=times.seconds)
    return family
