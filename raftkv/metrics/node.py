"""One node's metrics. Names are etcd's where the meaning is (its dashboards and alerts ask for them), else raftkv's.

Everything is read when Prometheus asks, and on a thread beside the event loop: each number on its own, so two of them may
be a moment apart. What is read is replaced as a whole or only ever counts up.

Hardly any label has a value that a client chooses: keys, users and lease ids never become series, and names of jobs only up to a
hundred. The others are methods, status codes, members, alarms and health checks, all of which are few.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from raftkv.metrics.jobs import job_samples
from raftkv.metrics.lighthouse import lighthouse_samples
from raftkv.metrics.network import network_samples
from raftkv.metrics.quotas import quota_samples
from raftkv.metrics.samples import histogram_metric, info
from raftkv.metrics.sources import Sources
from raftkv.metrics.state import state_samples
from raftkv.rpc.maintenance import API_VERSION


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
        sources = self._sources
        yield from self._identity()
        yield from self._raft()
        yield from self._proposals_and_reads()
        yield from self._disk()
        yield from state_samples(sources)
        yield from network_samples(sources)
        machine = sources.replica.machine
        yield from job_samples(machine.rendezvous.jobs, sources.job_times)
        yield from lighthouse_samples(machine.lighthouses.jobs, sources.lighthouse, sources.lighthouse_callers)
        yield from quota_samples(sources)
        yield from sources.calls.samples()
        yield from sources.health.samples()
        yield from sources.certificates.samples()
        yield histogram_metric("raftkv_loop_lag_seconds", "How late the event loop is.", sources.lag.seconds)

    def _identity(self) -> Iterator[Metric]:
        sources = self._sources
        yield info("etcd_server_id", "This member.", "server_id", sources.own)
        yield info("etcd_server_version", "The API's version.", "server_version", API_VERSION)
        agreed = sources.replica.machine.cluster_version or API_VERSION.rpartition(".")[0] + ".0"
        yield info("etcd_cluster_version", "What the members agree on.", "cluster_version", agreed)
        yield info("raftkv_version", "raftkv's version.", "version", sources.version)

    def _raft(self) -> Iterator[Metric]:
        replica = self._sources.replica
        measured = replica.measured
        yield GaugeMetricFamily("etcd_server_has_leader", "Whether a leader is known.", int(replica.leader != 0))
        yield GaugeMetricFamily("etcd_server_is_leader", "Whether this member leads.", int(replica.is_leader))
        yield GaugeMetricFamily("etcd_server_is_learner", "Whether this member has no vote.", int(replica.is_learner))
        yield CounterMetricFamily("etcd_server_leader_changes_seen_total", "Leaders seen.", measured.leader_changes)
        yield CounterMetricFamily(
            "etcd_server_heartbeat_send_failures_total", "Heartbeats that left late.", measured.late_heartbeats
        )
        yield GaugeMetricFamily("raftkv_raft_term", "The current term.", replica.term)
        yield GaugeMetricFamily("raftkv_raft_log_entries", "Committed entries that the log still has.", replica.log_entries)

    def _proposals_and_reads(self) -> Iterator[Metric]:
        replica = self._sources.replica
        measured, reads = replica.measured, replica.read_rounds
        yield GaugeMetricFamily("etcd_server_proposals_committed_total", "The last committed entry.", replica.commit_index)
        yield GaugeMetricFamily("etcd_server_proposals_applied_total", "The last applied one.", replica.machine.applied_index)
        yield GaugeMetricFamily("etcd_server_proposals_pending", "Writes under way.", replica.pending_proposals)
        yield CounterMetricFamily("etcd_server_proposals_failed_total", "Writes timed out.", measured.proposals_failed)
        yield CounterMetricFamily("etcd_server_slow_apply_total", "Entries slow to apply.", measured.slow_applies)
        yield CounterMetricFamily("etcd_server_slow_read_indexes_total", "Read rounds begun anew.", reads.slow)
        yield CounterMetricFamily("etcd_server_read_indexes_failed_total", "Reads without an answer.", reads.failed)
        yield CounterMetricFamily("raftkv_slow_requests_total", "Requests told as slow.", replica.times.slow)
        yield GaugeMetricFamily("raftkv_reads_pending", "Linearizable reads under way.", replica.pending_reads)
        yield histogram_metric("raftkv_batch_entries", "Log entries that shared one sync.", measured.batch_entries)
        yield histogram_metric("raftkv_apply_pass_seconds", "Passes of applying, once a turn.", measured.apply_s)

    def _disk(self) -> Iterator[Metric]:
        replica = self._sources.replica
        measured = replica.measured
        yield histogram_metric("etcd_disk_wal_fsync_duration_seconds", "Synced writes of the log.", measured.sync_s)
        yield histogram_metric("etcd_disk_backend_commit_duration_seconds", "Writes of the state.", measured.commit_s)
        yield CounterMetricFamily("etcd_disk_wal_write_bytes_total", "Bytes of log entries.", measured.log_bytes)
        yield histogram_metric("etcd_disk_backend_snapshot_duration_seconds", "Copies for backups.", measured.archive_s)
        yield histogram_metric("etcd_disk_backend_defrag_duration_seconds", "Defragmentations.", measured.defragment_s)
        yield GaugeMetricFamily("etcd_disk_defrag_inflight", "Whether one is under way.", int(replica.upkeep.defragmenting))
        yield GaugeMetricFamily("etcd_mvcc_db_open_read_transactions", "Frozen states in use.", self._sources.open_views())
