import pytest

from raftkv.client.transaction import (
    CreateRevision,
    Delete,
    Get,
    Lease,
    ModRevision,
    Put,
    Txn,
    Value,
    Version,
    is_read,
    txn_request,
)
from raftkv.pb import rpc


def test_each_operator_makes_its_comparison() -> None:
    results = [(Version("k") == 1).result, (Version("k") != 1).result, (Version("k") < 1).result, (Version("k") > 1).result]
    assert results == [rpc.Compare.EQUAL, rpc.Compare.NOT_EQUAL, rpc.Compare.LESS, rpc.Compare.GREATER]


def test_each_target_fills_its_own_field() -> None:
    assert (Value("k") == "v") == rpc.Compare(key=b"k", target=rpc.Compare.VALUE, value=b"v")
    assert (Version("k") == 1) == rpc.Compare(key=b"k", target=rpc.Compare.VERSION, version=1)
    assert (CreateRevision("k") == 2) == rpc.Compare(key=b"k", target=rpc.Compare.CREATE, create_revision=2)
    assert (ModRevision("k") == 3) == rpc.Compare(key=b"k", target=rpc.Compare.MOD, mod_revision=3)
    assert (Lease("k") == 4) == rpc.Compare(key=b"k", target=rpc.Compare.LEASE, lease=4)


def test_comparison_with_zero_is_on_the_wire() -> None:
    assert (Version("k") == 0).WhichOneof("target_union") == "version"
    assert (Value("k") == b"").WhichOneof("target_union") == "value"


def test_comparison_of_a_prefix_covers_its_range() -> None:
    assert (Version("k/", prefix=True) > 0).range_end == b"k0"


def test_comparison_with_the_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="Version compares to an int"):
        txn_request([Version("k") == "1"])
    with pytest.raises(TypeError, match="Value compares to str or bytes"):
        txn_request([Value("k") == 1])


def test_operations_carry_their_requests() -> None:
    assert Put("k", "v", lease=3).request_put == rpc.PutRequest(key=b"k", value=b"v", lease=3)
    assert Get("k", prefix=True).request_range == rpc.RangeRequest(key=b"k", range_end=b"l")
    assert Delete("k").request_delete_range == rpc.DeleteRangeRequest(key=b"k")
    assert Txn(success=[Put("k")]).request_txn.success[0].request_put.key == b"k"


def test_transaction_that_only_reads_on_either_branch_is_a_read() -> None:
    assert is_read(txn_request([Version("k") > 0], [Get("a")], [Txn(success=[Get("b")])]))
    assert not is_read(txn_request([], [Get("a")], [Put("a")]))
    assert not is_read(txn_request([], [Txn(failure=[Delete("a")])]))
    assert is_read(txn_request())
