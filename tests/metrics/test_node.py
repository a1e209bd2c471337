"""What a running cluster tells Prometheus."""

import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster, Node
from tests.harness.raftkv import RaftkvCluster

DASHBOARDS_AND_ALERTS = """
etcd_server_has_leader gauge
etcd_server_is_leader gauge
etcd_server_is_learner gauge
etcd_server_leader_changes_seen_total counter
etcd_server_proposals_committed_total gauge
etcd_server_proposals_applied_total gauge
etcd_server_proposals_pending gauge
etcd_server_proposals_failed_total counter
etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_backend_commit_duration_seconds histogram
etcd_mvcc_db_total_size_in_bytes gauge
etcd_mvcc_db_total_size_in_use_in_bytes gauge
etcd_server_quota_backend_bytes gauge
etcd_debugging_lease_granted_total counter
etcd_debugging_lease_renewed_total counter
etcd_debugging_lease_revoked_total counter
etcd_debugging_server_lease_expired_total counter
etcd_network_client_grpc_received_bytes_total counter
etcd_network_client_grpc_sent_bytes_total counter
grpc_server_started_total counter
grpc_server_handled_total counter
grpc_server_handling_seconds histogram
process_resident_memory_bytes gauge
process_open_fds gauge
etcd_debugging_mvcc_watch_stream_total gauge
etcd_debugging_mvcc_watcher_total gauge
etcd_debugging_mvcc_slow_watcher_total gauge
etcd_debugging_mvcc_pending_events_total gauge
etcd_debugging_mvcc_events_total counter
raftkv_loop_lag_seconds histogram
raftkv_batch_entries histogram
etcd_server_heartbeat_send_failures_total counter
etcd_server_slow_apply_total counter
etcd_server_slow_read_indexes_total counter
etcd_server_read_indexes_failed_total counter
etcd_server_health_success untyped
etcd_server_health_failures untyped
etcd_server_healthcheck gauge
etcd_server_healthchecks_total counter
etcd_server_id gauge
etcd_server_version gauge
etcd_server_snapshot_apply_in_progress_total gauge
etcd_cluster_version gauge
etcd_disk_wal_write_bytes_total counter
etcd_disk_backend_snapshot_duration_seconds histogram
etcd_disk_backend_defrag_duration_seconds histogram
etcd_disk_defrag_inflight gauge
etcd_mvcc_range_total counter
etcd_mvcc_put_total counter
etcd_mvcc_delete_total counter
etcd_mvcc_txn_total counter
etcd_mvcc_db_open_read_transactions gauge
etcd_network_active_peers gauge
etcd_network_known_peers gauge
etcd_network_disconnected_peers_total counter
etcd_network_peer_round_trip_time_seconds histogram
etcd_network_peer_sent_bytes_total counter
etcd_network_peer_received_bytes_total counter
etcd_network_peer_sent_failures_total counter
etcd_network_peer_received_failures_total counter
etcd_network_snapshot_send_success untyped
etcd_debugging_mvcc_keys_total gauge
etcd_debugging_mvcc_current_revision gauge
etcd_debugging_mvcc_compact_revision gauge
etcd_debugging_server_alarms gauge
etcd_debugging_auth_revision gauge
etcd_debugging_lease_ttl_total histogram
etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds histogram
etcd_debugging_mvcc_db_compaction_total_duration_milliseconds histogram
etcd_snap_db_save_total_duration_seconds histogram
raftkv_slow_requests_total counter
raftkv_snapshot_received_bytes gauge
raftkv_snapshot_about_bytes gauge
raftkv_quota_limit gauge
raftkv_quota_refused_total counter
raftkv_lighthouse_jobs gauge
raftkv_lighthouse_quorums_total counter
raftkv_lighthouse_waiting_calls gauge
raftkv_lighthouse_groups gauge
raftkv_lighthouse_refused_calls_total counter
raftkv_lighthouse_quorum_id gauge
raftkv_lighthouse_quorum_groups gauge
""".strip().splitlines()

PEERS = ("etcd_network_peer_sent_bytes_total", "etcd_network_peer_received_bytes_total", "etcd_network_known_peers")


def scrape(node: Node) -> tuple[Mapping[str, float], list[str]]:
    """Samples by name and labels, and each metric with its type as Prometheus sees it."""
    with urllib.request.urlopen(f"{node.client_url}/metrics", timeout=10) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = response.read().decode()
    types = [line.removeprefix("# TYPE ") for line in text.splitlines() if line.startswith("# TYPE ")]
    samples = {
        sample.name + "".join(f"|{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return samples, types


def test_what_etcds_dashboards_and_alerts_need_is_there(raftkv_node: Cluster) -> None:
    _, types = scrape(raftkv_node.nodes[0])
    assert set(DASHBOARDS_AND_ALERTS) <= set(types)
    assert len(types) == len(set(types))


def test_the_numbers_follow_what_happens(raftkv_node: Cluster) -> None:
    node = raftkv_node.nodes[0]
    before, _ = scrape(node)
    for number in range(5):
        node.caller.ask(rpc.PutRequest(key=b"k%d" % number))
    node.caller.call(rpc.PutRequest())
    after, _ = scrape(node)
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown["grpc_server_started_total|Put|etcdserverpb.KV|unary"] == 6
    assert grown["grpc_server_handled_total|OK|Put|etcdserverpb.KV|unary"] == 5
    assert grown["grpc_server_handled_total|InvalidArgument|Put|etcdserverpb.KV|unary"] == 1
    assert grown["etcd_server_proposals_committed_total"] == grown["etcd_server_proposals_applied_total"] == 5
    assert grown["raftkv_batch_entries_count"] == grown["etcd_disk_wal_fsync_duration_seconds_count"] == 5
    assert grown["etcd_debugging_mvcc_keys_total"] == grown["etcd_debugging_mvcc_current_revision"] == 5
    assert grown["etcd_network_client_grpc_received_bytes_total"] > 100
    assert after["etcd_server_has_leader"] == after["etcd_server_is_leader"] == 1
    assert after["etcd_server_proposals_pending"] == after["etcd_server_proposals_failed_total"] == 0


def test_members_of_a_cluster_count_each_other(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    cluster.leader().caller.ask(rpc.PutRequest(key=b"a"))
    scraped = [scrape(node)[0] for node in cluster.nodes]
    assert sorted(samples["etcd_server_is_leader"] for samples in scraped) == [0, 0, 1]
    for samples in scraped:
        assert samples["etcd_server_leader_changes_seen_total"] >= 1
        for name in PEERS:
            counts = [value for sample, value in samples.items() if sample.startswith(f"{name}|")]
            assert len(counts) == 2
            assert all(counts) or not samples["etcd_server_is_leader"]  # followers need not have spoken to each other yet


def test_leases_and_compactions_are_measured(raftkv_node: Cluster) -> None:
    node = raftkv_node.nodes[0]
    for number in range(5):
        node.caller.ask(rpc.PutRequest(key=b"k", value=b"%d" % number))
    node.caller.ask(rpc.LeaseGrantRequest(TTL=60))
    node.caller.ask(rpc.CompactionRequest(revision=5, physical=True))
    samples, _ = scrape(node)
    assert samples["etcd_debugging_lease_ttl_total_bucket|64.0"] == samples["etcd_debugging_lease_ttl_total_count"] == 1
    assert samples["etcd_debugging_lease_ttl_total_sum"] == 60
    assert samples["etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count"] == 1
    assert samples["etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds_count"] >= 1


def test_clients_cannot_make_series(raftkv_node: Cluster) -> None:
    node = raftkv_node.nodes[0]
    for request in (rpc.PutRequest(key=b"k"), rpc.LeaseGrantRequest(TTL=60), rpc.AuthUserAddRequest(name="u", password="p")):
        node.caller.ask(request)
    before, _ = scrape(node)
    for number in range(50):
        node.caller.ask(rpc.PutRequest(key=b"key-%d" % number))
        node.caller.ask(rpc.LeaseGrantRequest(TTL=60))
        node.caller.call_raw(f"/etcdserverpb.KV/Nonsense{number}", b"")
    for number in range(3):
        node.caller.ask(rpc.AuthUserAddRequest(name=f"user-{number}", password="p"))
    after, _ = scrape(node)
    assert set(after) == set(before)
