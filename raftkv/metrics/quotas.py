"""Quotas: what is allowed under each prefix, what is used, and what was refused.

Labels are prefix and role, which operators choose, and of the first MAX_QUOTAS_SHOWN quotas only. What is used of bytes and keys is
the same on every member; watches and refusals are each member's own.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from raftkv.metrics.sources import Sources
from raftkv.quotas.book import Name

MAX_QUOTAS_SHOWN: Final = 100
_LIMITS: Final = ("max_bytes", "max_keys", "max_watches", "requests_per_second")


def quota_samples(sources: Sources) -> Iterator[Metric]:
    """All of it."""
    book, tenants = sources.replica.machine.quotas, sources.tenants
    quotas = dict(islice(book.quotas.items(), MAX_QUOTAS_SHOWN))
    limits = GaugeMetricFamily("raftkv_quota_limit", "What is allowed.", labels=["prefix", "role", "limit"])
    watches = GaugeMetricFamily("raftkv_quota_watches", "Watches open here.", labels=["prefix", "role"])
    refused = CounterMetricFamily("raftkv_quota_refused_total", "What a quota refused here.", labels=["prefix", "role"])
    for name, quota in quotas.items():
        for limit in _LIMITS:
            if quota.HasField(limit):
                limits.add_metric([*_labels(name), limit.removeprefix("max_")], getattr(quota, limit))
        if quota.HasField("max_watches"):
            watches.add_metric(_labels(name), tenants.watches[name])
        refused.add_metric(_labels(name), tenants.refused[name] + book.refused[name])
    size = GaugeMetricFamily("raftkv_quota_used_bytes", "Keys and values under a prefix.", labels=["prefix"])
    keys = GaugeMetricFamily("raftkv_quota_used_keys", "Keys under a prefix.", labels=["prefix"])
    for prefix in dict.fromkeys(prefix for prefix, _ in quotas):
        usage = book.usage.get(prefix)
        if usage is not None:
            size.add_metric([_text(prefix)], usage.bytes)
            keys.add_metric([_text(prefix)], usage.keys)
    yield from (limits, size, keys, watches, refused)


def _labels(name: Name) -> list[str]:
    return [_text(name[0]), name[1]]


def _text(prefix: bytes) -> str:
    return prefix.decode(errors="backslashreplace")
