"""What is in the store: keys, operations, watches, leases, users, alarms."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from raftkv.metrics.samples import histogram_metric, in_milliseconds
from raftkv.metrics.sources import Sources
from raftkv.pb.rpc import CORRUPT, NOSPACE, AlarmType


def state_samples(sources: Sources) -> Iterator[Metric]:
    """All of it."""
    yield from _sizes(sources)
    yield from _operations(sources)
    yield from _watches(sources)
    yield from _leases(sources)
    yield from _compactions(sources)
    yield from _alarms(sources)
    yield GaugeMetricFamily("etcd_debugging_auth_revision", "Of users and roles.", sources.replica.machine.auth.revision)


def _sizes(sources: Sources) -> Iterator[Metric]:
    store = sources.replica.store
    yield GaugeMetricFamily("etcd_mvcc_db_total_size_in_bytes", "The data directory.", sources.size_on_disk())
    yield GaugeMetricFamily("etcd_mvcc_db_total_size_in_use_in_bytes", "Versions that are kept.", store.size_in_use)
    yield GaugeMetricFamily("etcd_server_quota_backend_bytes", "The quota; 0 is none.", sources.quota_bytes or 0)
    yield GaugeMetricFamily("etcd_debugging_mvcc_keys_total", "Live keys.", store.key_count)
    yield GaugeMetricFamily("etcd_debugging_mvcc_current_revision", "The last revision.", store.revision)
    yield GaugeMetricFamily("etcd_debugging_mvcc_compact_revision", "The compacted one.", store.compact_revision)


def _operations(sources: Sources) -> Iterator[Metric]:
    done = sources.replica.store.operations
    yield CounterMetricFamily("etcd_mvcc_range_total", "Ranges read.", done.ranges)
    yield CounterMetricFamily("etcd_mvcc_put_total", "Keys set.", done.puts)
    yield CounterMetricFamily("etcd_mvcc_delete_total", "Ranges deleted.", done.deletes)
    yield CounterMetricFamily("etcd_mvcc_txn_total", "Transactions of more than one operation.", done.txns)


def _watches(sources: Sources) -> Iterator[Metric]:
    hub = sources.replica.watches
    yield GaugeMetricFamily("etcd_debugging_mvcc_watch_stream_total", "Watch streams.", hub.streams)
    yield GaugeMetricFamily("etcd_debugging_mvcc_watcher_total", "Watches.", hub.watchers)
    yield GaugeMetricFamily("etcd_debugging_mvcc_slow_watcher_total", "Watches that read history.", hub.slow_watchers)
    yield GaugeMetricFamily("etcd_debugging_mvcc_pending_events_total", "Events read and not sent.", hub.pending_events)
    yield CounterMetricFamily("etcd_debugging_mvcc_events_total", "Events sent.", hub.events_sent)


def _leases(sources: Sources) -> Iterator[Metric]:
    machine, keeper = sources.replica.machine, sources.leases
    counts = machine.leases
    yield CounterMetricFamily("etcd_debugging_lease_granted_total", "Leases granted.", counts.granted)
    yield CounterMetricFamily("etcd_debugging_lease_renewed_total", "Leases renewed by this leader.", keeper.renewed)
    yield CounterMetricFamily("etcd_debugging_lease_revoked_total", "Leases revoked or expired.", counts.revoked)
    yield CounterMetricFamily("etcd_debugging_server_lease_expired_total", "Leases expired.", counts.expired)
    yield histogram_metric("etcd_debugging_lease_ttl_total", "Seconds that leases were granted for.", keeper.ttl_s)
    yield GaugeMetricFamily("raftkv_leases", "Leases that there are.", len(machine.lessor.leases))


def _compactions(sources: Sources) -> Iterator[Metric]:
    measured = sources.replica.measured
    name = "etcd_debugging_mvcc_db_compaction"
    steps, all_of_it = in_milliseconds(measured.scrub_step_s), in_milliseconds(measured.scrub_s)
    yield histogram_metric(f"{name}_pause_duration_milliseconds", "Steps of removing what was compacted.", steps)
    yield histogram_metric(f"{name}_total_duration_milliseconds", "All of a removal.", all_of_it)


def _alarms(sources: Sources) -> Iterator[Metric]:
    raised = sources.replica.machine.alarms.copy()
    family = GaugeMetricFamily("etcd_debugging_server_alarms", "Alarms that are up.", labels=["server_id", "alarm_type"])
    for member in [0, *sources.replica.members]:
        for alarm in (NOSPACE, CORRUPT):
            if member or (member, alarm) in raised:
                family.add_metric([f"{member:x}", AlarmType.Name(alarm)], int((member, alarm) in raised))
    yield family
