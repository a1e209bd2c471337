"""Leases answer as etcd's do: every call, text and edge, one after the other on both servers."""

from typing import Any

import pytest
from google.protobuf.message import Message

from raftkv.pb import rpc
from tests.conformance.comparison import comparable
from tests.conformance.keepalives import RawKeepAlive
from tests.conformance.watching import RawWatch
from tests.conftest import StartCluster
from tests.harness.calls import Caller, Failure
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

LONG = 100_000
MAX_TTL = 9_000_000_000


def grant(lease_id: int = 0, ttl: int = LONG) -> rpc.LeaseGrantRequest:
    return rpc.LeaseGrantRequest(ID=lease_id, TTL=ttl)


def revoke(lease_id: int) -> rpc.LeaseRevokeRequest:
    return rpc.LeaseRevokeRequest(ID=lease_id)


def ask(lease_id: int, *, keys: bool = True) -> rpc.LeaseTimeToLiveRequest:
    return rpc.LeaseTimeToLiveRequest(ID=lease_id, keys=keys)


def put(key: bytes, lease: int = 0, **options: Any) -> rpc.PutRequest:
    return rpc.PutRequest(key=key, lease=lease, **options)


def txn(*requests: Message, compare: tuple[rpc.Compare, ...] = ()) -> rpc.TxnRequest:
    names = {rpc.PutRequest: "request_put", rpc.RangeRequest: "request_range", rpc.DeleteRangeRequest: "request_delete_range"}
    return rpc.TxnRequest(compare=compare, success=[rpc.RequestOp(**{names[type(r)]: r}) for r in requests])  # type: ignore[arg-type] # one of these


def everything() -> rpc.RangeRequest:
    return rpc.RangeRequest(key=b"\0", range_end=b"\0")


GRANTS = [
    grant(1),
    grant(1),
    grant(1, MAX_TTL + 1),
    grant(2, MAX_TTL),
    grant(3, 0),
    grant(4, -5),
    grant(5, 1),
    grant(6, 2),
    grant(7, 3),
    grant(-8),
    grant(-(2**63)),
    grant(2**63 - 1),
    grant(9, MAX_TTL + 1),
    grant(9, 2**63 - 1),
    rpc.LeaseGrantRequest(),
]

KEYS = [
    put(b"a", 99),
    put(b"a", 1),
    put(b"b", 1),
    put(b"c", -8),
    ask(1),
    ask(1, keys=False),
    ask(-8),
    ask(99),
    ask(0),
    put(b"b"),  # lets it live
    ask(1),
    put(b"a", -8),  # moves it
    ask(1),
    ask(-8),
    put(b"a", ignore_lease=True, value=b"2"),
    put(b"a", -8, ignore_lease=True),
    put(b"d", ignore_lease=True),
    ask(-8),
    txn(put(b"e", 1), put(b"f", 1), put(b"a", 1)),
    txn(put(b"e"), put(b"g", 99)),
    ask(1),
    txn(put(b"h", 1), compare=(rpc.Compare(key=b"e", target=rpc.Compare.LEASE, lease=1),)),
    txn(put(b"h", 1), compare=(rpc.Compare(key=b"e", target=rpc.Compare.LEASE, lease=2),)),
    rpc.DeleteRangeRequest(key=b"e", range_end=b"f"),
    ask(1),
    everything(),
]

ENDS = [
    revoke(99),
    revoke(0),
    revoke(1),
    revoke(1),
    everything(),
    ask(1),
    put(b"z", 1),
    revoke(7),  # without keys
    everything(),
    grant(1),
    put(b"a", 1),
    revoke(-8),
    everything(),
    revoke(-(2**63)),
]


class Server:
    """One of the two."""

    def __init__(self, caller: Caller, endpoint: str) -> None:
        self.caller = caller
        self.endpoint = endpoint

    def call(self, request: Message) -> Any:
        """A comparable answer: time and order are the server's own where they have to be."""
        answer = comparable(request, self.caller.call(request))
        if isinstance(answer, rpc.LeaseTimeToLiveResponse):
            answer.keys.sort()
            if answer.TTL > 0:
                assert answer.grantedTTL - 10 < answer.TTL <= answer.grantedTTL
                answer.TTL = answer.grantedTTL
        if isinstance(answer, rpc.LeaseGrantResponse) and isinstance(request, rpc.LeaseGrantRequest) and not request.ID:
            assert answer.ID > 0
            answer.ID = 0
        if isinstance(answer, rpc.LeaseLeasesResponse):
            ids = sorted(status.ID for status in answer.leases)
            del answer.leases[:]
            answer.leases.extend(rpc.LeaseStatus(ID=lease_id) for lease_id in ids)
        return answer


@pytest.fixture
def both(start_cluster: StartCluster) -> list[Server]:
    etcd = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"})
    clusters = [etcd, start_cluster(RaftkvCluster)]
    return [Server(cluster.nodes[0].caller, cluster.endpoints[0]) for cluster in clusters]


def check_each(both: list[Server], requests: list[Any]) -> None:
    for number, request in enumerate(requests):
        expected, actual = (server.call(request) for server in both)
        assert actual == expected, f"request {number}: {type(request).__name__} {request}"


def test_grants_keys_and_revocations_are_answered_alike(both: list[Server]) -> None:
    check_each(both, GRANTS)
    check_each(both, KEYS)
    check_each(both, ENDS)


def test_all_leases_are_listed(both: list[Server]) -> None:
    check_each(both, [rpc.LeaseLeasesRequest(), grant(5), grant(-3), grant(9), revoke(5), rpc.LeaseLeasesRequest()])


def test_keepalives_are_answered_alike(both: list[Server]) -> None:
    def scenario(server: Server) -> list[Any]:
        stream = RawKeepAlive(server.endpoint)
        for lease_id, ttl in ((1, 100), (2, 1), (-3, 60)):
            server.caller.ask(grant(lease_id, ttl))
        seen: list[Any] = [stream.ask(1, 2, -3, 99, 0, 1)]
        server.caller.ask(revoke(1))
        seen.append(stream.ask(1, -3))
        stream.send(-3)
        seen.append(comparable(rpc.LeaseKeepAliveRequest(), stream.take()))  # type: ignore[arg-type] # an answer it is
        stream.send(-3)
        stream.end()
        seen += [isinstance(stream.take(), rpc.LeaseKeepAliveResponse), stream.take()]
        stream.close()
        return seen

    expected, actual = (scenario(server) for server in both)
    assert actual == expected


def test_an_expired_lease_takes_its_keys_in_one_revision(both: list[Server]) -> None:
    def scenario(server: Server) -> list[Any]:
        stream = RawKeepAlive(server.endpoint)
        server.caller.ask(grant(7, 2))
        server.caller.ask(put(b"keep"))
        for key in (b"b", b"c", b"a"):
            server.caller.ask(put(key, 7))
        watch = RawWatch(server.endpoint, {})
        watch.create(key=b"\0", range_end=b"\0")
        assert watch.take()[0].created
        events = [(event.type, event.kv.key, event.kv.mod_revision) for event in watch.take()[0].events]
        after = [events, stream.ask(7), server.call(everything()), server.call(ask(7)), server.call(revoke(7))]
        watch.close()
        stream.close()
        return after

    expected, actual = (scenario(server) for server in both)
    assert actual == expected
    assert [key for _, key, _ in actual[0]] == [b"a", b"b", b"c"]
    assert isinstance(actual[-1], Failure)
