"""Requests that no client library would send are refused with etcd's codes, and its texts where clients could match on them."""

from google.protobuf.message import Message

from raftkv.errors import Code
from raftkv.pb import rpc
from tests.conformance.comparison import comparable
from tests.conftest import StartCluster
from tests.harness.calls import Caller, Failure
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

PUT = "/etcdserverpb.KV/Put"
MISSING_METHODS = ("/etcdserverpb.KV/Nothing", "/no.Service/Method")
MALFORMED_BODIES = (b"\xff", b"\x0a\x05ab", b"\x0a\xff\xff\xff\xff\x7f", b"\x0b")
MALFORMED_METADATA = ({"client-api-version": "3.5"}, {"hasleader": "true"}, {"unknown-name": "value"})
ABOVE_TRANSPORT_LIMIT = bytes(3 * 1024 * 1024)


def answers(caller: Caller) -> list[bytes | Message | Failure]:
    """What a server answers to each of the requests above that both servers must answer in the same words."""
    raw = [caller.call_raw(path, b"") for path in MISSING_METHODS]
    empty = [kind() for kind in (rpc.RangeRequest, rpc.PutRequest, rpc.DeleteRangeRequest, rpc.CompactionRequest)]
    return [*raw, *(comparable(request, caller.call(request)) for request in empty)]


def codes(caller: Caller) -> list[Code]:
    """As `answers`, where only the code can be the same: the texts come out of the transports' insides."""
    bodies = [caller.call_raw(PUT, body) for body in MALFORMED_BODIES]
    too_large = caller.call(rpc.PutRequest(key=b"large", value=ABOVE_TRANSPORT_LIMIT))
    known = [caller.call(rpc.PutRequest(key=b"a"), metadata=metadata) for metadata in MALFORMED_METADATA]
    return [answer.code if isinstance(answer, Failure) else Code.OK for answer in (*bodies, too_large, *known)]


def test_refusals_are_those_of_etcd(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"}).nodes[0].caller
    raftkv = start_cluster(RaftkvCluster).nodes[0].caller
    assert answers(raftkv) == answers(etcd)
    assert codes(raftkv) == codes(etcd)
