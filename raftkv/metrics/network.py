"""What goes to and from the other members. Labels are etcd's: `To` and `From`, `Local` and `Remote`, ids in hexadecimal."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from raftkv.metrics.samples import buckets, by_member, histogram_metric
from raftkv.metrics.sources import Sources


def network_samples(sources: Sources) -> Iterator[Metric]:
    """All of it."""
    yield from _connections(sources)
    yield from _traffic(sources)
    yield from _probes(sources)
    yield from _snapshots(sources)


def _connections(sources: Sources) -> Iterator[Metric]:
    peers, own = sources.peers, sources.own
    connected = peers.connected
    active = GaugeMetricFamily("etcd_network_active_peers", "Whether a member can be sent to.", labels=["Local", "Remote"])
    known = GaugeMetricFamily("etcd_network_known_peers", "The other members.", labels=["Local", "Remote"])
    lost = CounterMetricFamily("etcd_network_disconnected_peers_total", "Ways that were lost.", labels=["Local", "Remote"])
    for member in sources.others:
        known.add_metric([own, f"{member:x}"], 1)
        lost.add_metric([own, f"{member:x}"], peers.disconnects[member])
        active.add_metric([own, f"{member:x}"], int(member in connected))
    yield from (active, known, lost)


def _traffic(sources: Sources) -> Iterator[Metric]:
    peers, others = sources.peers, sources.others
    yield by_member("etcd_network_peer_sent_bytes_total", "Bytes to a member.", "To", peers.sent_bytes, others)
    yield by_member("etcd_network_peer_received_bytes_total", "Bytes from one.", "From", peers.received_bytes, others)
    yield by_member("etcd_network_peer_sent_failures_total", "Messages dropped.", "To", peers.send_failures, others)
    yield by_member("etcd_network_peer_received_failures_total", "Nonsense.", "From", peers.receive_failures, others)


def _probes(sources: Sources) -> Iterator[Metric]:
    probes, others = sources.probes, sources.others
    took = HistogramMetricFamily("etcd_network_peer_round_trip_time_seconds", "Question and answer.", labels=["To"])
    ahead = GaugeMetricFamily("raftkv_peer_clock_ahead_seconds", "A member's clock against ours.", labels=["To"])
    version = GaugeMetricFamily("raftkv_peer_version", "What a member runs.", labels=["To", "version"])
    match = GaugeMetricFamily("raftkv_follower_match_index", "How far a follower is, as the leader knows.", labels=["To"])
    for member in others:
        if (histogram := probes.round_trip_s.get(member)) is not None:
            took.add_metric([f"{member:x}"], buckets(histogram), histogram.total)
        if (probe := probes.last.get(member)) is not None:
            ahead.add_metric([f"{member:x}"], probe.clock_ahead_s)
            version.add_metric([f"{member:x}", probe.version], 1)
        if (index := probes.match_indexes.get(member)) is not None:
            match.add_metric([f"{member:x}"], index)
    yield from (took, ahead, version, match)


def _snapshots(sources: Sources) -> Iterator[Metric]:
    outgoing, incoming = sources.replica.outgoing_snapshots, sources.replica.incoming_snapshots
    others = sources.others
    yield by_member("etcd_network_snapshot_send_success", "Snapshots sent.", "To", outgoing.sent, others)
    yield by_member("etcd_network_snapshot_send_failures", "Not sent.", "To", outgoing.failed, others)
    inflight = GaugeMetricFamily("etcd_network_snapshot_send_inflights_total", "Being sent.", labels=["To"])
    for member in others:
        inflight.add_metric([f"{member:x}"], int(member in outgoing.under_way))
    yield inflight
    yield by_member("etcd_network_snapshot_receive_success", "Snapshots installed.", "From", incoming.received, others)
    yield by_member("etcd_network_snapshot_receive_failures", "Not installed.", "From", incoming.failed, others)
    yield GaugeMetricFamily("etcd_server_snapshot_apply_in_progress_total", "Being installed.", int(incoming.installing))
    took = sources.replica.measured.snapshot_s
    yield histogram_metric("etcd_snap_db_save_total_duration_seconds", "Snapshots of others, until installed.", took)
    transfer = incoming.transfer
    received, about = (transfer.bytes, transfer.about_bytes) if transfer is not None else (0, 0)
    yield GaugeMetricFamily("raftkv_snapshot_received_bytes", "Of the snapshot that is on its way here.", received)
    yield GaugeMetricFamily("raftkv_snapshot_about_bytes", "What it may be in the end; 0: there is none.", about)
