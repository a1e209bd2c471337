"""Small steps from plain numbers to Prometheus' samples."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric, UnknownMetricFamily

from raftkv.server.measured import Histogram


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Upper bound and cumulative count of each bucket."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))


def histogram_metric(name: str, documentation: str, histogram: Histogram) -> Metric:
    """A histogram without labels."""
    return HistogramMetricFamily(name, documentation, buckets(histogram), histogram.total)


def in_milliseconds(histogram: Histogram) -> Histogram:
    """The same, for those that etcd counts so."""
    scaled = Histogram([bound * 1000.0 for bound in histogram.bounds])
    scaled.counts, scaled.total = histogram.counts.copy(), histogram.total * 1000.0
    return scaled


def info(name: str, documentation: str, label: str, value: str) -> Metric:
    """A fact: a label with a value, and the number 1."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    family.add_metric([value], 1)
    return family


def by_member(name: str, documentation: str, label: str, counts: Mapping[int, int], members: Iterable[int]) -> Metric:
    """A counter for each other member, in etcd's hexadecimal. Those that etcd did not name `_total` have no type: the library
    would rename them.
    """
    kind = CounterMetricFamily if name.endswith("_total") else UnknownMetricFamily
    family = kind(name, documentation, labels=[label])
    for member in members:
        family.add_metric([f"{member:x}"], counts.get(member, 0))
    return family
