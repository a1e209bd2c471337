from collections import Counter
from random import Random

import pytest
from google.protobuf.message import Message

from raftkv.errors import Code
from raftkv.pb import rpc
from tests.conformance.comparison import comparable, shown
from tests.conformance.generator import Generator, _prefix_end
from tests.conformance.shrink import shortest
from tests.conformance.writers import PersistentClient, PutCounter, SharedLog, UniqueKeys
from tests.harness.calls import ROUTES, Failure


def row(key: bytes, value: bytes, version: int) -> dict[bytes, object]:
    return {key: rpc.RangeResponse(kvs=[{"key": key, "value": value, "version": version}]).kvs[0]}


def test_same_seed_gives_the_same_requests() -> None:
    first, second = Generator(Random(3)), Generator(Random(3))
    assert [first.request() for _ in range(200)] == [second.request() for _ in range(200)]


def test_every_kind_of_request_comes_up() -> None:
    generator = Generator(Random(4))
    kinds = Counter(type(generator.request()) for _ in range(1000))
    assert set(kinds) == {rpc.RangeRequest, rpc.PutRequest, rpc.DeleteRangeRequest, rpc.TxnRequest, rpc.CompactionRequest}


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"a", b"b"), (b"a\xff", b"b"), (b"\xff\xff", b"\x00"), (b"", b"\x00"), (b"k/", b"k0")]
)
def test_prefix_end_is_the_smallest_key_above_the_prefix(prefix: bytes, end: bytes) -> None:
    assert _prefix_end(prefix) == end


def test_comparison_ignores_only_the_identity_of_the_cluster() -> None:
    answer = rpc.PutResponse(header={"cluster_id": 1, "member_id": 2, "raft_term": 3, "revision": 4})
    assert comparable(rpc.PutRequest(), answer) == rpc.PutResponse(header={"revision": 4})


def test_order_within_a_tie_and_the_cut_through_it_do_not_matter() -> None:
    by_version = rpc.RangeRequest(sort_target=rpc.RangeRequest.VERSION)
    rows = {name: {"key": name, "version": version} for name, version in ((b"a", 1), (b"b", 1), (b"c", 2), (b"d", 2))}

    def answer(keys: str, *, more: bool = False) -> Message | Failure:
        return comparable(by_version, rpc.RangeResponse(kvs=[rows[key.encode()] for key in keys], more=more))

    assert answer("abcd") == answer("badc")
    assert answer("abcd") != answer("acbd")
    assert answer("abc", more=True) == answer("abd", more=True)
    assert answer("abc") != answer("abd")


def test_shrinking_keeps_what_matters() -> None:
    requests = [rpc.PutRequest(key=b"%d" % number) for number in range(40)]
    needed = [requests[3], requests[17], requests[18]]
    assert shortest(requests, lambda some: all(request in some for request in needed)) == needed


def test_every_unary_method_of_the_key_value_service_has_a_route() -> None:
    assert ROUTES[rpc.TxnRequest] == ("/etcdserverpb.KV/Txn", rpc.TxnResponse)
    assert rpc.StatusRequest in ROUTES


def test_long_messages_are_cut_when_shown() -> None:
    assert len(shown(rpc.PutRequest(value=bytes(10_000)))) < 5_000
    assert shown(Failure(Code.UNKNOWN, "text")) == "UNKNOWN 'text'"


def test_write_applied_twice_is_found() -> None:
    client = PersistentClient([], Random(1))
    unique, counter = UniqueKeys(client, "a"), PutCounter(client, "a")
    unique.acknowledged = counter.acknowledged = 1
    unique.check(row(b"unique/a/0", b"0", 1))
    counter.check(row(b"counter/a", b"1", 1))
    with pytest.raises(AssertionError):
        unique.check(row(b"unique/a/0", b"0", 2))
    with pytest.raises(AssertionError):
        counter.check(row(b"counter/a", b"1", 2))


def test_lost_and_doubled_and_refused_appends_are_found() -> None:
    log = SharedLog(PersistentClient([], Random(1)), "a", _accepted={b"a.0;", b"a.2;"}, _refused={b"a.1;"})
    log.check(row(b"log/0", b"a.0;b.0;a.2;", 3))
    for wrong in (b"a.0;", b"a.0;a.2;a.2;", b"a.0;a.1;a.2;"):
        with pytest.raises(AssertionError):
            log.check(row(b"log/0", wrong, 3))
