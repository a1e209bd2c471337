"""One node's metrics. Names are etcd's where the meaning is (its dashboards and alerts ask for them), else raftkv's.

Everything is read when Prometheus asks, and on a thread beside the event loop: each number on its own, so two of them may
be a moment apart. What is read is replaced as a whole or only ever counts up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from raftkv.metrics.calls import CallCounts
from raftkv.metrics.loop_lag import LoopLag
from raftkv.metrics.samples import by_member, histogram_metric
from raftkv.peer.tcp import TcpPeers
from raftkv.rpc.maintenance import API_VERSION
from raftkv.server.lease_keeper import LeaseKeeper
from raftkv.server.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a node's numbers are."""

    replica: Replica
    peers: TcpPeers
    calls: CallCounts
    lag: LoopLag
    leases: LeaseKeeper
    size_on_disk: Callable[[], int]
    quota_bytes: int | None
    version: str
    """Of raftkv."""


class NodeMetrics(Collector):
    """A registry of its own with this node's numbers and its process's."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The answer to a scrape. Takes milliseconds: not for the event loop's thread."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: names are looked at when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of this node's numbers."""
        yield from self._identity()
        yield from self._raft()
        yield from self._disk()
        yield from self._store()
        yield from self._leases()
        yield from self._watches()
        yield from self._network()
        yield from self._sources.calls.samples()
        yield histogram_metric("raftkv_loop_lag_seconds", "How late the event loop is.", self._sources.lag.seconds)

    def _identity(self) -> Iterator[Metric]:
        replica = self._sources.replica
        yield _info("etcd_server_id", "This member.", "server_id", f"{replica.settings.node_id:x}")
        yield _info("etcd_server_version", "The API's version.", "server_version", API_VERSION)
        yield _info("raftkv_version", "raftkv's version.", "version", self._sources.version)

    def _raft(self) -> Iterator[Metric]:
        replica = self._sources.replica
        measured = replica.measured
        yield GaugeMetricFamily("etcd_server_has_leader", "Whether a leader is known.", int(replica.leader != 0))
        yield GaugeMetricFamily("etcd_server_is_leader", "Whether this member leads.", int(replica.is_leader))
        yield GaugeMetricFamily("etcd_server_is_learner", "Whether this member has no vote.", int(replica.is_learner))
        yield CounterMetricFamily("etcd_server_leader_changes_seen_total", "Leaders seen.", measured.leader_changes)
        yield GaugeMetricFamily("etcd_server_proposals_committed_total", "The last committed entry.", replica.commit_index)
        yield GaugeMetricFamily("etcd_server_proposals_applied_total", "The last applied one.", replica.machine.applied_index)
        yield GaugeMetricFamily("etcd_server_proposals_pending", "Writes under way.", replica.pending_proposals)
        yield CounterMetricFamily("etcd_server_proposals_failed_total", "Writes timed out.", measured.proposals_failed)
        yield histogram_metric("raftkv_batch_entries", "Log entries that shared one sync.", measured.batch_entries)

    def _disk(self) -> Iterator[Metric]:
        measured = self._sources.replica.measured
        yield histogram_metric("etcd_disk_wal_fsync_duration_seconds", "Synced writes of the log.", measured.sync_s)
        yield histogram_metric("etcd_disk_backend_commit_duration_seconds", "Writes of the state.", measured.commit_s)

    def _store(self) -> Iterator[Metric]:
        sources = self._sources
        store = sources.replica.store
        yield GaugeMetricFamily("etcd_mvcc_db_total_size_in_bytes", "The data directory.", sources.size_on_disk())
        yield GaugeMetricFamily("etcd_mvcc_db_total_size_in_use_in_bytes", "Versions that are kept.", store.size_in_use)
        yield GaugeMetricFamily("etcd_server_quota_backend_bytes", "The quota; 0 is none.", sources.quota_bytes or 0)
        yield GaugeMetricFamily("etcd_debugging_mvcc_keys_total", "Live keys.", store.key_count)
        yield GaugeMetricFamily("etcd_debugging_mvcc_current_revision", "The last revision.", store.revision)
        yield GaugeMetricFamily("etcd_debugging_mvcc_compact_revision", "The compacted one.", store.compact_revision)

    def _watches(self) -> Iterator[Metric]:
        hub = self._sources.replica.watches
        yield GaugeMetricFamily("etcd_debugging_mvcc_watch_stream_total", "Watch streams.", hub.streams)
        yield GaugeMetricFamily("etcd_debugging_mvcc_watcher_total", "Watches.", hub.watchers)
        yield GaugeMetricFamily("etcd_debugging_mvcc_slow_watcher_total", "Watches that read history.", hub.slow_watchers)
        yield GaugeMetricFamily("etcd_debugging_mvcc_pending_events_total", "Events read and not sent.", hub.pending_events)
        yield CounterMetricFamily("etcd_debugging_mvcc_events_total", "Events sent.", hub.events_sent)

    def _leases(self) -> Iterator[Metric]:
        keeper = self._sources.leases
        counts = self._sources.replica.machine.leases
        yield CounterMetricFamily("etcd_debugging_lease_granted_total", "Leases granted.", counts.granted)
        yield CounterMetricFamily("etcd_debugging_lease_renewed_total", "Leases renewed by this leader.", keeper.renewed)
        yield CounterMetricFamily("etcd_debugging_lease_revoked_total", "Leases revoked or expired.", counts.revoked)
        yield CounterMetricFamily("etcd_debugging_server_lease_expired_total", "Leases expired.", counts.expired)

    def _network(self) -> Iterator[Metric]:
        peers, replica = self._sources.peers, self._sources.replica
        own = f"{replica.settings.node_id:x}"
        others = [member for member in replica.members if member != replica.settings.node_id]
        connected = peers.connected
        for name, documentation, members in (
            ("etcd_network_active_peers", "Whether messages can be sent to a member.", [m for m in others if m in connected]),
            ("etcd_network_known_peers", "The other members.", others),
        ):
            family = GaugeMetricFamily(name, documentation, labels=["Local", "Remote"])
            for member in members:
                family.add_metric([own, f"{member:x}"], 1)
            yield family
        yield by_member("etcd_network_peer_sent_bytes_total", "Bytes to a member.", "To", peers.sent_bytes, others)
        yield by_member("etcd_network_peer_received_bytes_total", "Bytes from one.", "From", peers.received_bytes, others)
        yield by_member("etcd_network_peer_sent_failures_total", "Messages dropped.", "To", peers.send_failures, others)


def _info(name: str, documentation: str, label: str, value: str) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    family.add_metric([value], 1)
    return family
