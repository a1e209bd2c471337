"""The quota: what is counted, what is refused, and the alarm."""

import pytest

from raftkv.errors import NoSpaceError
from raftkv.pb.rpc import DeleteRangeRequest, PutRequest, RequestOp, TxnRequest
from raftkv.server.quota import KEY_OVERHEAD_BYTES, Quota, cost_of_put, cost_of_txn

PUT = RequestOp(request_put=PutRequest(key=b"k", value=b"v" * 43))
DELETE = RequestOp(request_delete_range=DeleteRangeRequest(key=b"k"))


def test_a_put_costs_its_bytes_and_an_overhead() -> None:
    assert cost_of_put(PUT.request_put) == 300


def test_a_transaction_costs_its_dearer_branch_nested_ones_included() -> None:
    nested = RequestOp(request_txn=TxnRequest(success=[PUT, PUT], failure=[PUT]))
    assert cost_of_txn(TxnRequest(success=[DELETE, PUT], failure=[nested, PUT])) == 900
    assert cost_of_txn(TxnRequest(success=[DELETE])) == 0


def test_what_does_not_fit_is_refused_and_raises_the_alarm() -> None:
    alarms: list[int] = []
    quota = Quota(1000, lambda: 800, lambda: alarms.append(1))
    quota.check(199)
    with pytest.raises(NoSpaceError):
        quota.check(200)
    assert alarms == [1]


def test_what_adds_nothing_always_fits() -> None:
    Quota(1000, lambda: 5000, lambda: None).check(0)


def test_no_limit_lets_everything_in() -> None:
    Quota(None, lambda: 1 << 50, lambda: None).check(1 << 40)


def test_a_transaction_is_measured_only_where_space_is_scarce() -> None:
    request = TxnRequest(success=[PUT])
    size = request.ByteSize()
    for used, fits in ((0, True), (1000, True), (1_000_000 - 301, True), (1_000_000 - 300, False)):
        quota = Quota(1_000_000, lambda used=used: used, lambda: None)  # type: ignore[misc] # binds the loop's name
        if fits:
            quota.check_txn(request, size)
        else:
            with pytest.raises(NoSpaceError):
                quota.check_txn(request, size)


def test_the_bound_of_a_transaction_is_never_below_its_cost() -> None:
    request = TxnRequest(success=[RequestOp(request_put=PutRequest(key=b"k"))] * 100)
    quota = Quota(KEY_OVERHEAD_BYTES * 100, lambda: 0, lambda: None)
    with pytest.raises(NoSpaceError):
        quota.check_txn(request, request.ByteSize())
