"""Small steps from plain numbers to Prometheus' samples."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from raftkv.server.measured import Histogram


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Upper bound and cumulative count of each bucket."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))


def histogram_metric(name: str, documentation: str, histogram: Histogram) -> Metric:
    """A histogram without labels."""
    return HistogramMetricFamily(name, documentation, buckets(histogram), histogram.total)


def by_member(name: str, documentation: str, label: str, counts: Mapping[int, int], members: Iterable[int]) -> Metric:
    """A counter for each other member, in etcd's hexadecimal."""
    family = CounterMetricFamily(name, documentation, labels=[label])
    for member in members:
        family.add_metric([f"{member:x}"], counts.get(member, 0))
    return family
