from typing import Any

import pytest

from raftkv.apply.command import TXN, body
from raftkv.errors import (
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyNotFoundError,
    LeaseProvidedError,
    RequestError,
    TooManyOperationsError,
    ValueProvidedError,
)
from raftkv.mvcc.checks import (
    MAX_TXN_DEPTH,
    check_delete_range,
    check_put,
    check_range,
    check_txn,
    is_read_only,
    is_serializable,
    puts_anything,
)
from raftkv.pb import rpc
from raftkv.pb.command import Command
from tests.mvcc.making import delete, get, put, txn


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param(get(b""), EmptyKeyError, id="no key"),
        pytest.param(get(b"", b"z"), EmptyKeyError, id="an end alone"),
        pytest.param(get(b"a", sort_order=3), InvalidSortOptionError, id="order"),
        pytest.param(get(b"a", sort_target=5), InvalidSortOptionError, id="target"),
        pytest.param(get(b"a", sort_order=-1), InvalidSortOptionError, id="negative order"),
    ],
)
def test_range_is_refused(request_: Any, error: type[RequestError]) -> None:
    with pytest.raises(error):
        check_range(request_)


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        pytest.param(put(b""), EmptyKeyError, "etcdserver: key is not provided", id="no key"),
        pytest.param(put(b"a", b"1", ignore_value=True), ValueProvidedError, "etcdserver: value is provided", id="value"),
        pytest.param(put(b"a", lease=1, ignore_lease=True), LeaseProvidedError, "etcdserver: lease is provided", id="lease"),
    ],
)
def test_put_is_refused(request_: Any, error: type[RequestError], text: str) -> None:
    with pytest.raises(error) as raised:
        check_put(request_)
    assert str(raised.value) == text


def test_delete_needs_a_key() -> None:
    with pytest.raises(EmptyKeyError):
        check_delete_range(delete(b"", b"\0"))


def test_each_operation_of_a_txn_is_checked_in_either_branch() -> None:
    for request in (get(b""), put(b""), delete(b""), txn(put(b""))):
        with pytest.raises(EmptyKeyError):
            check_txn(txn(request))
        with pytest.raises(EmptyKeyError):
            check_txn(txn(failure=[request]))


def test_empty_operation_is_key_not_found() -> None:
    with pytest.raises(KeyNotFoundError):
        check_txn(rpc.TxnRequest(failure=[rpc.RequestOp()]))


def test_compare_needs_a_key() -> None:
    with pytest.raises(EmptyKeyError):
        check_txn(txn(compare=[rpc.Compare()]))


def test_operations_are_counted_by_the_longest_list() -> None:
    check_txn(txn(*[get(b"a")] * 128, failure=[get(b"a")] * 128))
    with pytest.raises(TooManyOperationsError):
        check_txn(txn(*[get(b"a")] * 129))
    with pytest.raises(TooManyOperationsError):
        check_txn(txn(compare=[rpc.Compare(key=b"a")] * 3), max_operations=2)


def test_nested_operations_have_what_their_parent_left() -> None:
    check_txn(txn(txn(*[get(b"a")] * 127)))
    with pytest.raises(TooManyOperationsError):
        check_txn(txn(txn(*[get(b"a")] * 128)))


def test_depth_is_limited_to_what_the_log_can_be_read_with() -> None:
    """Inside a Command a transaction lies a level deeper than on the wire: what is admitted must parse there too."""
    nested = txn(get(b"a"))
    for _ in range(MAX_TXN_DEPTH - 1):
        nested = txn(nested)
    check_txn(nested)
    data = body(TXN, nested.SerializeToString())
    assert Command.FromString(data).txn == nested
    with pytest.raises(TooManyOperationsError):
        check_txn(txn(nested))


def test_operations_in_all_are_limited_too() -> None:
    check_txn(txn(txn(get(b"a")), get(b"a"), get(b"a")), max_operations=4)
    with pytest.raises(TooManyOperationsError):
        check_txn(txn(*[txn(*[txn(*[get(b"a")] * 4)] * 4)] * 4), max_operations=8)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(txn(put(b"a"), put(b"a")), id="put and put"),
        pytest.param(txn(put(b"a"), delete(b"a")), id="put and delete"),
        pytest.param(txn(delete(b"a"), put(b"a")), id="delete and put"),
        pytest.param(txn(delete(b"a", b"c"), put(b"b")), id="range and put"),
        pytest.param(txn(txn(put(b"a")), put(b"a")), id="nested put and put"),
        pytest.param(txn(txn(delete(b"a")), put(b"a")), id="nested delete and put"),
        pytest.param(txn(txn(put(b"a")), delete(b"a")), id="nested put and delete"),
        pytest.param(txn(txn(failure=[put(b"a")]), put(b"a")), id="nested else and put"),
        pytest.param(txn(txn(put(b"a")), txn(put(b"a"))), id="siblings"),
        pytest.param(txn(txn(delete(b"a")), txn(put(b"a"))), id="delete, then its sibling puts"),
        pytest.param(txn(txn(put(b"b")), txn(failure=[put(b"b")])), id="siblings' other branches"),
        pytest.param(txn(failure=[put(b"a"), put(b"a")]), id="in the failure branch"),
    ],
)
def test_a_key_may_not_be_changed_twice(request_: rpc.TxnRequest) -> None:
    with pytest.raises(DuplicateKeyError) as raised:
        check_txn(request_)
    assert str(raised.value) == "etcdserver: duplicate key given in txn request"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(txn(put(b"a"), failure=[put(b"a")]), id="two branches"),
        pytest.param(txn(txn(put(b"a"), failure=[put(b"a")])), id="two branches of a nested txn"),
        pytest.param(txn(txn(put(b"a"), failure=[delete(b"a")])), id="nested put or delete"),
        pytest.param(txn(delete(b"a"), delete(b"a", b"c")), id="deletions"),
        pytest.param(txn(delete(b"a", b"b"), put(b"b")), id="the end is not in the range"),
        pytest.param(txn(txn(put(b"a")), txn(delete(b"a"))), id="put, then its sibling deletes (as etcd)"),
        pytest.param(txn(delete(b"a", b"\0"), put(b"b")), id="from a key on (as etcd)"),
    ],
)
def test_these_are_no_duplicates(request_: rpc.TxnRequest) -> None:
    check_txn(request_)


def test_read_only_is_ranges_at_the_top_level() -> None:
    assert is_read_only(txn(get(b"a"), failure=[get(b"b")]))
    assert is_read_only(txn())
    assert not is_read_only(txn(txn(get(b"a"))))
    assert not is_read_only(txn(failure=[delete(b"b")]))


def test_serializable_needs_every_range_to_be() -> None:
    assert is_serializable(txn(get(b"a", serializable=True)))
    assert not is_serializable(txn(get(b"a", serializable=True), failure=[get(b"a")]))


def test_a_put_is_found_in_any_branch() -> None:
    assert puts_anything(txn(failure=[txn(failure=[put(b"a")])]))
    assert not puts_anything(txn(get(b"a"), delete(b"a"), txn()))


def test_a_transaction_that_only_compares_is_linearizable() -> None:
    """Nothing in it asks to be answered from local state, and an old answer would be wrong."""
    compares = txn(compare=[rpc.Compare(key=b"a")])
    assert is_read_only(compares)
    assert not is_serializable(compares)
