"""What a request needs, against a plain reference: every key that it touches must be granted."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.auth.access import is_allowed
from raftkv.auth.permissions import Permissions
from raftkv.pb import rpc
from raftkv.pb.auth import Permission

READ, WRITE, READWRITE = Permission.READ, Permission.WRITE, Permission.READWRITE
LETTERS = [b"a", b"b", b"c", b"d", b"e"]
UNIVERSE = sorted([*LETTERS, *(letter + b"\0" for letter in LETTERS), b"\0", b"zz"])
"""Where all ends are letters, a gap between two ranges has one of these in it."""
LEASES = {7: [b"a", b"c"], 8: [b"e"]}
Grants = Sequence[Permission]


def lease_keys(lease: int) -> Iterable[bytes]:
    return LEASES.get(lease, ())


# --- the reference


def touched(key: bytes, end: bytes) -> list[bytes]:
    if not end:
        return [key]
    return [one for one in UNIVERSE if one >= key and (end == b"\0" or one < end)]


def granted(grants: Grants, kind: int, key: bytes, end: bytes = b"") -> bool:
    usable = [grant for grant in grants if grant.permType in {kind, READWRITE}]
    names_keys = not end or touched(key or b"\0", end)
    return bool(names_keys) and all(
        any(_in(one, grant.key, grant.range_end) for grant in usable) for one in touched(key or b"\0", end)
    )


def _in(one: bytes, key: bytes, end: bytes) -> bool:
    return one == key if not end else one >= key and (end == b"\0" or one < end)


def reference(grants: Grants, request: Any) -> bool:
    return all(granted(grants, kind, key, end) for kind, key, end in needs(request))


def needs(request: Any) -> Iterator[tuple[int, bytes, bytes]]:
    match request:
        case rpc.RangeRequest() | rpc.WatchCreateRequest() | rpc.Compare():
            yield READ, request.key, request.range_end
        case rpc.PutRequest():
            yield from ((WRITE, key, b"") for key in [request.key, *(lease_keys(request.lease) if request.lease else ())])
            yield from ((READ, request.key, b"") for _ in range(request.prev_kv))
        case rpc.DeleteRangeRequest():
            yield from ((kind, request.key, request.range_end) for kind in ([WRITE, READ] if request.prev_kv else [WRITE]))
        case rpc.TxnRequest():
            for part in (*request.compare, *request.success, *request.failure):
                yield from needs(part)
        case rpc.RequestOp():
            yield from needs(getattr(request, request.WhichOneof("request")))
        case rpc.LeaseRevokeRequest():
            yield from ((WRITE, key, b"") for key in lease_keys(request.ID))
        case rpc.LeaseTimeToLiveRequest():
            yield from ((READ, key, b"") for key in (lease_keys(request.ID) if request.keys else ()))


# --- requests and roles by chance

keys = st.sampled_from(LETTERS)
ends = st.sampled_from([b"", b"\0", *LETTERS])
leases = st.sampled_from([0, 7, 8, 9])
grants = st.lists(
    st.builds(Permission, permType=st.sampled_from([READ, WRITE, READWRITE]), key=keys, range_end=ends), max_size=6
)
ranges = st.builds(rpc.RangeRequest, key=keys, range_end=ends)
puts = st.builds(rpc.PutRequest, key=keys, prev_kv=st.booleans(), lease=leases)
deletes = st.builds(rpc.DeleteRangeRequest, key=keys, range_end=ends, prev_kv=st.booleans())
compares = st.builds(rpc.Compare, key=keys, range_end=ends)


def operations(nested: Any) -> Any:
    plain = [
        st.builds(rpc.RequestOp, request_range=ranges),
        st.builds(rpc.RequestOp, request_put=puts),
        st.builds(rpc.RequestOp, request_delete_range=deletes),
    ]
    return st.lists(
        st.one_of(*plain, *([st.builds(rpc.RequestOp, request_txn=nested)] if nested is not None else [])), max_size=2
    )


def txns(nested: Any) -> Any:
    return st.builds(
        rpc.TxnRequest, compare=st.lists(compares, max_size=1), success=operations(nested), failure=operations(nested)
    )


requests = st.one_of(
    ranges,
    puts,
    deletes,
    txns(txns(txns(None))),
    st.builds(rpc.WatchCreateRequest, key=st.sampled_from([b"", *LETTERS]), range_end=ends),
    st.builds(rpc.LeaseRevokeRequest, ID=leases),
    st.builds(rpc.LeaseTimeToLiveRequest, ID=leases, keys=st.booleans()),
)


@settings(max_examples=400, deadline=None)
@given(grants=grants, request=requests)
def test_decision_is_that_of_the_reference(grants: Grants, request: Any) -> None:
    usable = [grant for grant in grants if grant.range_end in {b"", b"\0"} or grant.key < grant.range_end]
    assert is_allowed(Permissions(grants), request, lease_keys) == reference(usable, request)


@settings(max_examples=200, deadline=None)
@given(grants=grants, key=keys, end=ends)
def test_a_watch_is_allowed_exactly_where_a_range_is(grants: Grants, key: bytes, end: bytes) -> None:
    allowed = Permissions(grants)
    watch, range_ = rpc.WatchCreateRequest(key=key, range_end=end), rpc.RangeRequest(key=key, range_end=end)
    assert is_allowed(allowed, watch, lease_keys) == is_allowed(allowed, range_, lease_keys)


@settings(max_examples=100, deadline=None)
@given(request=requests)
def test_root_may_do_everything_and_a_user_without_grants_nothing_with_keys(request: Any) -> None:
    assert is_allowed(Permissions([], is_root=True), request, lease_keys)
    assert is_allowed(Permissions([]), request, lease_keys) == reference([], request)


def test_watch_from_a_key_on_needs_more_than_that_key() -> None:
    allowed = Permissions([Permission(permType=READ, key=b"a")])
    assert not is_allowed(allowed, rpc.WatchCreateRequest(key=b"a", range_end=b"\0"), lease_keys)
    assert is_allowed(allowed, rpc.WatchCreateRequest(key=b"a"), lease_keys)


def test_watch_of_all_keys_needs_them_all() -> None:
    everything = Permissions([Permission(permType=READ, key=b"\0", range_end=b"\0")])
    half = Permissions([Permission(permType=READ, key=b"a", range_end=b"\0")])
    watch = rpc.WatchCreateRequest(range_end=b"\0")
    assert is_allowed(everything, watch, lease_keys)
    assert not is_allowed(half, watch, lease_keys)


@pytest.mark.parametrize("branch", ["success", "failure"])
def test_what_is_nested_in_either_branch_is_looked_at(branch: str) -> None:
    allowed = Permissions([Permission(permType=READWRITE, key=b"a")])
    inner = rpc.RequestOp(request_put=rpc.PutRequest(key=b"b"))
    for _ in range(5):
        outer = rpc.RequestOp()
        getattr(outer.request_txn, branch).append(inner)
        inner = outer
    assert not is_allowed(allowed, inner.request_txn, lease_keys)


def test_put_with_previous_value_reads_and_put_on_a_lease_takes_part_in_its_keys() -> None:
    writer = Permissions([Permission(permType=WRITE, key=b"a")])
    assert is_allowed(writer, rpc.PutRequest(key=b"a"), lease_keys)
    assert not is_allowed(writer, rpc.PutRequest(key=b"a", prev_kv=True), lease_keys)
    assert not is_allowed(writer, rpc.PutRequest(key=b"a", lease=7), lease_keys)
    in_txn = rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"a", lease=7))])
    assert not is_allowed(writer, in_txn, lease_keys)


def test_names_of_a_leases_keys_are_told_to_those_who_may_read_them() -> None:
    reader = Permissions([Permission(permType=READ, key=b"a")])
    assert is_allowed(reader, rpc.LeaseTimeToLiveRequest(ID=7), lease_keys)
    assert not is_allowed(reader, rpc.LeaseTimeToLiveRequest(ID=7, keys=True), lease_keys)


def test_what_nobody_knows_is_denied() -> None:
    allowed = Permissions([Permission(permType=READWRITE, key=b"\0", range_end=b"\0")])
    assert not is_allowed(allowed, rpc.SnapshotRequest(), lease_keys)
    assert not is_allowed(allowed, rpc.TxnRequest(success=[rpc.RequestOp()]), lease_keys)


def test_neighbours_cover_a_range_together() -> None:
    allowed = Permissions([Permission(key=b"a", range_end=b"c"), Permission(key=b"c", range_end=b"e"), Permission(key=b"e")])
    assert allowed.may_read(b"a", b"e\0")
    assert not allowed.may_read(b"a", b"f")


@pytest.mark.parametrize(("key", "end"), [(b"", b""), (b"", b"\0"), (b"", b"c"), (b"b", b"b"), (b"c", b"b")])
def test_a_grant_that_names_no_key_grants_nothing(key: bytes, end: bytes) -> None:  # S16, etcd#15619
    permissions = Permissions([Permission(permType=READWRITE, key=key, range_end=end)])
    assert not any(permissions.may_read(letter) or permissions.may_write(letter) for letter in LETTERS)
    assert not permissions.may_read(key, end)
    assert not permissions.may_write(b"\0", b"\0")
