"""A leader that stood still, and was replaced meanwhile, revokes nothing that others renewed and renews nothing that is gone."""

from raftkv.pb import rpc
from tests.conformance.keepalives import RawKeepAlive
from tests.conftest import StartCluster
from tests.harness.calls import Failure
from tests.harness.cluster import Cluster, Node
from tests.harness.raftkv import RaftkvCluster

FAST_ELECTIONS = {"heartbeat-interval": "50", "election-timeout": "500"}
KEPT, LOST = 1, 2


def ttl(node: Node, lease_id: int) -> int:
    """What is left, in whole seconds; -1: it is gone; -2: nobody knows now."""
    answer = node.caller.call(rpc.LeaseTimeToLiveRequest(ID=lease_id), timeout_s=5.0)
    return -2 if isinstance(answer, Failure) else answer.TTL


def keys(node: Node) -> list[bytes]:
    request = rpc.RangeRequest(key=b"\0", range_end=b"\0", serializable=True)
    return [kv.key for kv in node.caller.ask(request).kvs]


def renew_until_the_other_is_gone(cluster: Cluster, node: Node) -> None:
    """One is renewed through a follower while the other, which nobody renews, runs out under the new leader."""
    stream = RawKeepAlive(node.caller.endpoint)

    def gone() -> bool:
        assert stream.ask(KEPT) == [(KEPT, 2)]
        return ttl(node, LOST) == -1

    cluster.wait_until(gone, "the lease that nobody renews ends", watched=node)
    stream.close()


def test_a_paused_leader_neither_ends_nor_saves_a_lease(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3, options=FAST_ELECTIONS)
    leader = cluster.leader()
    others = [node for node in cluster.nodes if node is not leader]
    for lease_id in (KEPT, LOST):
        leader.caller.ask(rpc.LeaseGrantRequest(ID=lease_id, TTL=2))
        leader.caller.ask(rpc.PutRequest(key=b"%d" % lease_id, lease=lease_id))
    late = RawKeepAlive(leader.caller.endpoint)
    assert late.ask(LOST) == [(LOST, 2)]
    leader.process.pause()
    late.send(LOST)  # it comes in when the leader goes on, which does not know yet that it leads no more
    renew_until_the_other_is_gone(cluster, others[0])
    leader.process.resume()
    answer = late.take()
    assert isinstance(answer, Failure) or (isinstance(answer, rpc.LeaseKeepAliveResponse) and answer.TTL == 0)
    cluster.wait_ready()
    stream = RawKeepAlive(leader.caller.endpoint)
    assert stream.ask(KEPT, LOST) == [(KEPT, 2), (LOST, 0)]
    cluster.wait_until(lambda: all(keys(node) == [b"%d" % KEPT] for node in cluster.nodes), "all agree", watched=leader)
    for end in (late, stream):
        end.close()
