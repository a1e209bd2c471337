from typing import Any

import pytest

from raftkv.errors import CompactedError, FutureRevisionError, KeyNotFoundError, LeaseNotFoundError, RequestError
from raftkv.mvcc import Store, finish
from raftkv.pb import rpc
from raftkv.pb.rpc import Compare
from tests.mvcc.making import compact, delete, fields, get, keys, new_store, put, run, txn, values, written


@pytest.fixture
def store() -> Store:
    """a made at 2 and changed at 4 (version 2), b made at 3, with lease 7."""
    store = new_store(lease_exists=lambda lease: lease == 7)
    for request in (put(b"a", b"1"), put(b"b", b"5", lease=7), put(b"a", b"2")):
        run(store, request)
    return store


def compare(key: bytes, end: Any = b"", result: Any = Compare.EQUAL, **target: Any) -> Compare:
    """`compare(b"a", version=2)`: the target is that of the value given."""
    names = {"version": Compare.VERSION, "create_revision": Compare.CREATE, "mod_revision": Compare.MOD}
    names |= {"value": Compare.VALUE, "lease": Compare.LEASE}
    (name,) = target
    return Compare(key=key, range_end=end, result=result, target=names[name], **target)


@pytest.mark.parametrize(
    ("key", "target", "around"),
    [
        (b"a", "version", (1, 2, 3)),
        (b"a", "create_revision", (1, 2, 3)),
        (b"a", "mod_revision", (3, 4, 5)),
        (b"a", "value", (b"1", b"2", b"3")),
        (b"b", "lease", (6, 7, 8)),
    ],
    ids=["version", "create_revision", "mod_revision", "value", "lease"],
)
def test_compare_knows_every_target_and_result(store: Store, key: bytes, target: str, around: tuple[Any, Any, Any]) -> None:
    below, equal, above = around
    holding = {Compare.EQUAL: [equal], Compare.GREATER: [below], Compare.LESS: [above], Compare.NOT_EQUAL: [below, above]}
    for result, right in holding.items():
        for value in around:
            answer = run(store, txn(compare=[compare(key, result=result, **{target: value})]))
            assert answer.succeeded == (value in right)


@pytest.mark.parametrize("target", ["version", "create_revision", "mod_revision", "lease"])
def test_missing_key_compares_as_zero(store: Store, target: str) -> None:
    for value in (0, 1):
        zero: dict[str, Any] = {target: value}
        answer = run(store, txn(compare=[compare(b"x", **zero)]))
        assert answer.succeeded == (value == 0)


@pytest.mark.parametrize("result", range(5))
def test_missing_key_has_no_value_to_compare(store: Store, result: int) -> None:
    assert not run(store, txn(compare=[compare(b"x", result=result, value=b"")])).succeeded


def test_compare_of_a_range_needs_every_key(store: Store) -> None:
    assert run(store, txn(compare=[compare(b"a", b"c", result=Compare.GREATER, version=0)])).succeeded
    assert not run(store, txn(compare=[compare(b"a", b"c", version=2)])).succeeded
    assert run(store, txn(compare=[compare(b"x", b"\0", version=0)])).succeeded


def test_target_union_that_does_not_fit_reads_as_zero(store: Store) -> None:
    assert run(store, txn(compare=[Compare(key=b"x", target=Compare.VERSION, mod_revision=5)])).succeeded
    unknown: Any = 9
    assert run(store, txn(compare=[Compare(key=b"a", target=unknown)])).succeeded
    assert run(store, txn(compare=[Compare(key=b"a", result=unknown, version=77)])).succeeded


def test_all_changes_of_a_txn_have_one_revision(store: Store) -> None:
    done = written(store.txn(txn(put(b"c", b"3"), delete(b"a"), txn(put(b"d", b"4")))))
    assert [(event.key, event.revision) for event in done.events] == [(b"c", 5), (b"a", 5), (b"d", 5)]
    assert store.revision == 5
    assert done.response.header.revision == 5
    assert values(run(store, get(b"\0", b"\0"))) == {b"b": b"5", b"c": b"3", b"d": b"4"}


def test_txn_without_effect_changes_nothing(store: Store) -> None:
    for request in (txn(), txn(delete(b"x")), txn(get(b"a")), txn(txn(get(b"a")))):
        done = written(store.txn(request))
        assert (done.response.header.revision, list(done.events)) == (4, [])
    assert store.revision == 4


def test_range_after_put_sees_it_and_its_revision(store: Store) -> None:
    answer = run(store, txn(get(b"a", b"z", limit=1), put(b"c", b"3"), delete(b"a"), get(b"a", b"z"), get(b"c"), get(b"a")))
    before, _, _, after, one, gone = (op.response_range for op in answer.responses)
    assert (keys(before), before.count, before.more, before.header.revision) == ([b"a"], 2, True, 4)
    assert (values(after), after.count, after.header.revision) == ({b"b": b"5", b"c": b"3"}, 2, 5)
    assert fields(one.kvs[0]) == (5, 5, 1, b"3")
    assert gone.count == 0


def test_range_at_an_old_revision_does_not_see_the_txn(store: Store) -> None:
    answer = run(store, txn(put(b"a", b"new"), put(b"c"), get(b"a", b"z", revision=4), get(b"a", b"z", revision=2, limit=1)))
    at_4, at_2 = (op.response_range for op in answer.responses[2:])
    assert (values(at_4), at_4.count, at_4.header.revision) == ({b"a": b"2", b"b": b"5"}, 2, 5)
    assert (values(at_2), at_2.count) == ({b"a": b"1"}, 1)


def test_nested_headers_carry_only_the_revision(store: Store) -> None:
    answer = run(store, txn(put(b"c"), txn(delete(b"x"), get(b"a")), delete(b"a", prev_kv=True)))
    put_, nested, deleted = answer.responses
    assert put_.response_put.header == rpc.ResponseHeader(revision=5)
    assert nested.response_txn.HasField("header")
    assert nested.response_txn.header == rpc.ResponseHeader()
    assert [op.WhichOneof("response") for op in nested.response_txn.responses] == ["response_delete_range", "response_range"]
    assert deleted.response_delete_range.header.revision == 5
    assert fields(deleted.response_delete_range.prev_kvs[0]) == (2, 4, 2, b"2")


def test_delete_before_any_change_has_the_old_revision(store: Store) -> None:
    answer = run(store, txn(delete(b"x"), put(b"c"), delete(b"x")))
    assert [op.response_delete_range.header.revision for op in (answer.responses[0], answer.responses[2])] == [4, 5]


def test_nested_branches_are_chosen_on_the_state_before(store: Store) -> None:
    missing = compare(b"c", version=0)
    answer = run(store, txn(put(b"c", b"1"), txn(put(b"d", b"then"), compare=[missing], failure=[put(b"d", b"else")])))
    assert answer.responses[1].response_txn.succeeded
    assert run(store, get(b"d")).kvs[0].value == b"then"


def test_failure_branch_is_taken_when_one_compare_fails(store: Store) -> None:
    right, wrong = compare(b"a", version=2), compare(b"a", version=3)
    answer = run(store, txn(put(b"a", b"then"), compare=[right, wrong], failure=[put(b"a", b"else")]))
    assert not answer.succeeded
    assert run(store, get(b"a")).kvs[0].value == b"else"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        pytest.param(txn(put(b"c"), put(b"d", lease=9)), LeaseNotFoundError, id="lease"),
        pytest.param(txn(put(b"c"), txn(put(b"d", lease=9))), LeaseNotFoundError, id="nested lease"),
        pytest.param(txn(put(b"c"), put(b"d", ignore_value=True)), KeyNotFoundError, id="ignore_value"),
        pytest.param(txn(put(b"d", lease=9, ignore_value=True)), KeyNotFoundError, id="the key comes before the lease"),
        pytest.param(txn(put(b"c"), get(b"a", revision=6)), FutureRevisionError, id="future"),
        pytest.param(txn(put(b"c"), get(b"a", revision=5)), FutureRevisionError, id="its own revision is future"),
        pytest.param(txn(put(b"c"), get(b"a", revision=1)), CompactedError, id="compacted"),
        pytest.param(txn(put(b"c"), get(b"a", revision=-1)), CompactedError, id="below zero is compacted"),
        pytest.param(txn(get(b"a", revision=9), put(b"d", lease=9)), LeaseNotFoundError, id="puts come before ranges"),
        pytest.param(txn(delete(b"a", b"\0"), put(b"a", ignore_value=True)), KeyNotFoundError, id="found while executing"),
    ],
)
def test_failed_check_leaves_everything_as_it_was(store: Store, request_: rpc.TxnRequest, error: type[RequestError]) -> None:
    compact(store, 2)
    with pytest.raises(error):
        finish(store.txn(request_))
    assert store.revision == 4
    assert values(run(store, get(b"\0", b"\0"))) == {b"a": b"2", b"b": b"5"}
    assert store.key_count == 2


def test_checks_are_for_the_chosen_path_only(store: Store) -> None:
    bad = [put(b"d", lease=9), get(b"a", revision=100)]
    answer = run(store, txn(txn(put(b"c"), failure=bad), failure=bad))
    assert answer.header.revision == 5


def test_minus_one_is_allowed_until_something_is_compacted(store: Store) -> None:
    assert run(store, txn(get(b"a", revision=-1))).responses[0].response_range.count == 1
    with pytest.raises(CompactedError):
        run(store, txn(get(b"a", revision=-2)))


def test_key_may_come_and_go_within_one_revision(store: Store) -> None:
    done = written(store.txn(txn(txn(put(b"c", b"1")), txn(delete(b"c", prev_kv=True)))))
    assert [(event.key, event.encoded is None, event.previous) for event in done.events] == [
        (b"c", False, None),
        (b"c", True, None),
    ]
    assert run(store, get(b"c")).count == 0
    assert run(store, get(b"c", b"d", revision=5)).count == 0
    assert store.key_count == 2


def test_key_may_go_and_come_within_one_revision(store: Store) -> None:
    run(store, txn(delete(b"\0", b"\0"), put(b"a", b"new")))
    assert fields(run(store, get(b"a", b"z")).kvs[0]) == (5, 5, 1, b"new")
    assert store.key_count == 1
    assert run(store, get(b"a", b"z", revision=5, count_only=True)).count == 1


def test_read_only_txn_answers_without_the_log(store: Store) -> None:
    answer = finish(store.read_txn(txn(get(b"a"), compare=[compare(b"a", version=2)])))
    assert (answer.succeeded, answer.header.revision) == (True, 4)
    assert keys(answer.responses[0].response_range) == [b"a"]


def test_read_only_txn_that_writes_is_a_bug(store: Store) -> None:
    with pytest.raises(AssertionError):
        finish(store.read_txn(txn(put(b"a"))))
