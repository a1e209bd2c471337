"""v3lockpb and v3electionpb beside a real etcd: every answer, header and refusal."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from raftkv.errors import Code
from raftkv.pb import rpc
from raftkv.pb.election import (
    CampaignRequest,
    CampaignResponse,
    LeaderKey,
    LeaderRequest,
    LeaderResponse,
    ProclaimRequest,
    ResignRequest,
)
from raftkv.pb.lock import LockRequest, LockResponse, UnlockRequest
from tests.harness.calls import Caller, Failure
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

Targets = tuple[Cluster, Cluster]
OURS, OTHERS = 777, 778
KEYS = {lease: b"%x" % lease for lease in (OURS, OTHERS)}


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    directory: Path = tmp_path_factory.mktemp("locks")
    with ExitStack() as stack:
        yield (
            stack.enter_context(EtcdCluster(directory / "etcd")),
            stack.enter_context(RaftkvCluster(directory / "raftkv")),
        )


def beside(targets: Targets, scenario: Callable[[Cluster, Caller], list[Any]]) -> None:
    """Runs the scenario on both, each time from the same state, and compares what it noted."""
    noted = []
    for cluster in targets:
        caller = cluster.nodes[0].caller
        caller.ask(rpc.DeleteRangeRequest(key=b"\0", range_end=b"\0"))
        for lease in KEYS:
            caller.call(rpc.LeaseRevokeRequest(ID=lease))
            caller.ask(rpc.LeaseGrantRequest(TTL=600, ID=lease))
        base = caller.ask(rpc.RangeRequest(key=b"x")).header.revision
        noted.append([plain(answer, base) for answer in scenario(cluster, caller)])
    assert noted[1] == noted[0]


def plain(answer: Any, base: int) -> str:
    """An answer as text, with revisions counted from the scenario's beginning and without what differs by nature."""
    if isinstance(answer, Failure):
        return f"{answer.code.name}: {answer.details}"
    copy = type(answer).FromString(answer.SerializeToString())
    copy.header.ClearField("cluster_id")
    copy.header.ClearField("member_id")
    copy.header.ClearField("raft_term")
    copy.header.revision -= base
    for name in ("leader", "kv"):
        if name in copy.DESCRIPTOR.fields_by_name and copy.HasField(name):
            part = getattr(copy, name)
            for field in ("rev", "create_revision", "mod_revision"):
                if field in part.DESCRIPTOR.fields_by_name:
                    setattr(part, field, getattr(part, field) - base)
    return str(copy)


def waiting(cluster: Cluster, keys: int) -> None:
    """Returns when so many keys are there."""
    caller = cluster.nodes[0].caller
    request = rpc.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)
    cluster.wait_until(lambda: caller.ask(request).count == keys, f"{keys} keys are there")


def test_single_requests_are_answered_as_by_etcd(targets: Targets) -> None:
    requests = [
        LockRequest(name=b"a", lease=OURS),
        LockRequest(name=b"a", lease=OURS),
        LockRequest(name=b"", lease=OURS),
        LockRequest(name=b"b", lease=12345),
        LockRequest(name=b"b", lease=-1),
        UnlockRequest(key=b"a/" + KEYS[OURS]),
        UnlockRequest(key=b"a/" + KEYS[OURS]),
        UnlockRequest(),
        LeaderRequest(name=b"e"),
        CampaignRequest(name=b"e", lease=OURS, value=b"v1"),
        CampaignRequest(name=b"e", lease=OURS, value=b"v1"),
        CampaignRequest(name=b"e", lease=OURS, value=b"v2"),
        LeaderRequest(name=b"e"),
        CampaignRequest(name=b"e2", lease=999, value=b"v"),
        ProclaimRequest(value=b"x"),
        ProclaimRequest(value=b"x", leader=LeaderKey()),
        ProclaimRequest(value=b"x", leader=LeaderKey(name=b"e", key=b"e/" + KEYS[OURS], rev=1, lease=OURS)),
        ResignRequest(),
        ResignRequest(leader=LeaderKey()),
        ResignRequest(leader=LeaderKey(name=b"e", key=b"e/" + KEYS[OURS], rev=1, lease=OURS)),
        LeaderRequest(name=b"e"),
    ]
    beside(targets, lambda _cluster, caller: [caller.call(request) for request in requests])


def test_a_lock_passes_to_who_waits(targets: Targets) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        first = caller.ask(LockRequest(name=b"a", lease=OURS))
        second = caller.future(LockRequest(name=b"a", lease=OTHERS))
        waiting(cluster, 2)
        unlocked = caller.ask(UnlockRequest(key=first.key))
        return [first, unlocked, LockResponse.FromString(second.result())]

    beside(targets, scenario)


def test_a_lock_passes_when_the_lease_ends(targets: Targets) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        caller.ask(LockRequest(name=b"a", lease=OURS))
        second = caller.future(LockRequest(name=b"a", lease=OTHERS))
        waiting(cluster, 2)
        caller.ask(rpc.LeaseRevokeRequest(ID=OURS))
        return [LockResponse.FromString(second.result())]

    beside(targets, scenario)


def test_who_lost_its_lease_while_waiting_does_not_get_the_lock(targets: Targets) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        first = caller.ask(LockRequest(name=b"a", lease=OURS))
        second = caller.future(LockRequest(name=b"a", lease=OTHERS))
        waiting(cluster, 2)
        caller.ask(rpc.LeaseRevokeRequest(ID=OTHERS))
        caller.ask(UnlockRequest(key=first.key))
        return [failure_of(second)]

    beside(targets, scenario)


@pytest.mark.parametrize("request_", [LockRequest(name=b"a"), CampaignRequest(name=b"a", value=b"v")])
def test_a_cancelled_call_leaves_no_key(targets: Targets, request_: Any) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        caller.ask(LockRequest(name=b"a", lease=OURS))
        second = caller.future(request_)
        waiting(cluster, 2)
        second.cancel()
        waiting(cluster, 1)
        return []

    beside(targets, scenario)


def test_leadership_passes_on_and_proclamations_are_guarded(targets: Targets) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        first = caller.ask(CampaignRequest(name=b"e", lease=OURS, value=b"one"))
        second = caller.future(CampaignRequest(name=b"e", lease=OTHERS, value=b"two"))
        waiting(cluster, 2)
        return [
            first,
            caller.call(ProclaimRequest(leader=first.leader, value=b"uno")),
            caller.call(LeaderRequest(name=b"e")),
            caller.call(ResignRequest(leader=first.leader)),
            CampaignResponse.FromString(second.result()),
            caller.call(ProclaimRequest(leader=first.leader, value=b"eins")),
            caller.call(ResignRequest(leader=first.leader)),
            caller.call(LeaderRequest(name=b"e")),
        ]

    beside(targets, scenario)


def test_observers_are_told_of_leaders_and_values(targets: Targets) -> None:
    def scenario(cluster: Cluster, caller: Caller) -> list[Any]:
        first = caller.ask(CampaignRequest(name=b"e", lease=OURS, value=b"one"))
        second = caller.future(CampaignRequest(name=b"e", lease=OTHERS, value=b"two"))
        waiting(cluster, 2)
        with grpc.insecure_channel(cluster.endpoints[0]) as channel:
            observe: Any = channel.unary_stream("/v3electionpb.Election/Observe")
            seen = observe(LeaderRequest(name=b"e").SerializeToString(), timeout=20)
            answers = [next(seen)]
            caller.ask(ProclaimRequest(leader=first.leader, value=b"uno"))
            answers.append(next(seen))
            caller.ask(ResignRequest(leader=first.leader))
            answers.append(next(seen))
            leader = CampaignResponse.FromString(second.result()).leader
            caller.ask(ResignRequest(leader=leader))
            caller.ask(CampaignRequest(name=b"e", lease=OURS, value=b"again"))
            answers.append(next(seen))
            seen.cancel()
        return [LeaderResponse.FromString(answer) for answer in answers]

    beside(targets, scenario)


def test_a_lock_without_a_lease_gets_one_of_sixty_seconds(targets: Targets) -> None:
    for cluster in targets:
        caller = cluster.nodes[0].caller
        key = caller.ask(LockRequest(name=b"short")).key
        lease = int(key.rpartition(b"/")[2], 16)
        assert caller.ask(rpc.LeaseTimeToLiveRequest(ID=lease)).grantedTTL == 60
        caller.ask(rpc.LeaseRevokeRequest(ID=lease))


def failure_of(call: Any) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        call.result()
    error: Any = caught.value
    return Failure(Code(error.code().value[0]), error.details())
