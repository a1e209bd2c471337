"""How the health checks went that somebody asked for: the probes of an orchestrator, above all."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily


class HealthCounts:
    """Counts of /health, and of each check of /livez and /readyz."""

    def __init__(self) -> None:
        self._pages: Counter[bool] = Counter()
        self._checks: Counter[tuple[str, str, bool]] = Counter()
        self._last: dict[tuple[str, str], bool] = {}

    def page(self, *, healthy: bool) -> None:
        """/health was asked for."""
        self._pages[healthy] += 1

    def check(self, kind: str, name: str, *, passed: bool) -> None:
        """A check of /livez or /readyz was made."""
        self._checks[kind, name, passed] += 1
        self._last[kind, name] = passed

    def samples(self) -> Iterator[Metric]:
        """As etcd names them (server/etcdserver/api/etcdhttp/{health,metrics}.go)."""
        # No type: a counter would be renamed to end with _total.
        yield UnknownMetricFamily("etcd_server_health_success", "Times that /health said yes.", self._pages[True])
        yield UnknownMetricFamily("etcd_server_health_failures", "Times that it said no.", self._pages[False])
        last = GaugeMetricFamily("etcd_server_healthcheck", "The last result of a check.", labels=["type", "name"])
        for (kind, name), passed in list(self._last.items()):
            last.add_metric([kind, name], int(passed))
        counted = CounterMetricFamily("etcd_server_healthchecks_total", "Checks.", labels=["type", "name", "status"])
        for (kind, name, passed), count in list(self._checks.items()):
            counted.add_metric([kind, name, "success" if passed else "error"], count)
        yield from (last, counted)
