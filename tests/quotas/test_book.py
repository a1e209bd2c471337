"""Bytes and keys under prefixes: counted and refused when changes are applied, alike on every replica."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.errors import QuotaExceededError, QuotaNotFoundError, RequestError, TooManyQuotasError, error_of_status
from raftkv.mvcc.counted import content_bytes
from raftkv.pb import rpc
from raftkv.pb.auth import UserAddOptions
from raftkv.pb.kv import KeyValue
from raftkv.pb.quota import Quota, RemoveQuotaRequest, SetQuotaRequest
from raftkv.pb.update import Change, UpdateRequest
from raftkv.quotas import end_of
from raftkv.quotas.book import MAX_QUOTAS
from raftkv.quotas.prefixes import Prefixes
from raftkv.storage.engine import Table
from tests.apply.commands import Machine, command, entries, put


def limited(**limits: Any) -> Machine:
    machine = Machine()
    limit(machine, **limits)
    return machine


def limit(machine: Machine, prefix: bytes = b"/a/", role: str = "", **limits: int) -> None:
    outcome = machine.apply(set_quota=SetQuotaRequest(quota=Quota(prefix=prefix, role=role, **limits)))
    assert outcome.error is None


def used(machine: Machine, prefix: bytes = b"/a/") -> tuple[int, int]:
    usage = machine.machine.quotas.usage[prefix]
    return usage.bytes, usage.keys


def op(**request: Any) -> rpc.RequestOp:
    return rpc.RequestOp(**request)


def txn(*operations: rpc.RequestOp) -> dict[str, Any]:
    return {"txn": rpc.TxnRequest(success=operations)}


def test_a_put_beyond_the_bytes_is_refused_and_changes_nothing() -> None:
    machine = limited(max_bytes=10)
    assert machine.apply(**put(b"/a/1", b"123456")).error is None
    before = machine.rows()
    error = machine.apply(**put(b"/a/2", b"")).error
    assert str(error) == 'raftkv: quota of prefix "/a/" exceeded: 10 of 10 bytes are used, and 4 more would be'
    assert isinstance(error, QuotaExceededError)
    assert (error.prefix, error.what, error.limit, error.used, error.more) == (b"/a/", "bytes", 10, 10, 4)
    after = machine.rows()
    assert after.pop(Table.STATE).keys() == before.pop(Table.STATE).keys()
    assert after == before


def test_a_put_beyond_the_keys_is_refused_but_a_key_that_is_there_may_be_set() -> None:
    machine = limited(max_keys=1)
    assert machine.apply(**put(b"/a/1", b"1")).error is None
    assert machine.apply(**put(b"/a/1", b"22222")).error is None
    error = machine.apply(**put(b"/a/2")).error
    assert "exceeded: 1 of 1 keys are used, and 1 more would be" in str(error)
    assert machine.apply(**put(b"/b/2")).error is None


def test_what_shrinks_is_let_through_also_above_the_limit() -> None:
    machine = limited(max_bytes=100, max_keys=5)
    for number in range(5):
        machine.apply(**put(b"/a/%d" % number, b"0123456789"))
    limit(machine, max_bytes=8, max_keys=1)
    assert machine.apply(**put(b"/a/0", b"short")).error is None
    assert machine.apply(**put(b"/a/0", b"longer")).error is not None
    assert machine.apply(delete_range=rpc.DeleteRangeRequest(key=b"/a/1", range_end=b"/a0")).error is None
    assert used(machine) == (9, 1)


def test_a_transaction_counts_as_a_whole() -> None:
    machine = limited(max_keys=2)
    machine.apply(**txn(op(request_put=rpc.PutRequest(key=b"/a/1")), op(request_put=rpc.PutRequest(key=b"/a/2"))))
    swap = txn(
        op(request_delete_range=rpc.DeleteRangeRequest(key=b"/a/1")), op(request_put=rpc.PutRequest(key=b"/a/3", value=b"v"))
    )
    assert machine.apply(**swap).error is None
    assert used(machine) == (9, 2)
    more = machine.apply(**txn(op(request_put=rpc.PutRequest(key=b"/b")), op(request_put=rpc.PutRequest(key=b"/a/4"))))
    assert more.error is not None
    assert machine.machine.store.key_count == 2


def test_a_nested_transaction_and_an_update_are_bound() -> None:
    machine = limited(max_keys=0)
    nested = op(request_txn=rpc.TxnRequest(success=[op(request_put=rpc.PutRequest(key=b"/a/1"))]))
    assert machine.apply(**txn(nested)).error is not None
    change = Change(kind=Change.PUSH, key=b"queue", value=b"x")
    assert machine.apply(update=UpdateRequest(prefix=b"/a/", changes=[change])).error is not None
    assert used(machine) == (0, 0)


def test_nested_prefixes_all_count_and_each_may_refuse() -> None:
    machine = limited(prefix=b"/a/", max_keys=2)
    limit(machine, prefix=b"/a/b/", max_keys=1)
    limit(machine, prefix=b"", max_bytes=1000)
    assert machine.apply(**put(b"/a/b/1")).error is None
    assert 'prefix "/a/b/"' in str(machine.apply(**put(b"/a/b/2")).error)
    assert machine.apply(**put(b"/a/c")).error is None
    assert 'prefix "/a/" ' in str(machine.apply(**put(b"/a/d")).error)
    assert [used(machine, prefix)[1] for prefix in (b"", b"/a/", b"/a/b/")] == [2, 2, 1]


def test_what_is_there_when_a_quota_is_set_is_counted_in_slices() -> None:
    machine = Machine()
    for number in range(1500):
        machine.apply(**put(b"/a/%04d" % number, b"v"))
    machine.apply(**put(b"/a0", b"not under it"))
    limit(machine, max_bytes=1)
    assert used(machine) == (1500 * 8, 1500)


def test_a_quota_of_a_role_binds_its_users_and_counts_everybody() -> None:
    machine = limited(role="guests", max_keys=1)
    for name, role in (("root", "root"), ("ann", "guests"), ("bob", "hosts")):
        options = UserAddOptions(no_password=True)
        machine.apply(user_add=rpc.AuthUserAddRequest(name=name, options=options))
        machine.apply(role_add=rpc.AuthRoleAddRequest(name=role))
        grant = {"key": b"/", "range_end": b"0", "permType": "READWRITE"}
        machine.apply(role_grant_permission=rpc.AuthRoleGrantPermissionRequest(name=role, perm=grant))
        machine.apply(user_grant_role=rpc.AuthUserGrantRoleRequest(user=name, role=role))
    machine.apply(auth_enable=rpc.AuthEnableRequest())

    def write(user: str, key: bytes) -> RequestError | None:
        return machine.apply(user=user, auth_revision=machine.machine.auth.revision, **put(key)).error

    assert write("bob", b"/a/1") is None
    assert str(write("ann", b"/a/2")).startswith('raftkv: quota of prefix "/a/", for role guests, exceeded: 1 of 1 keys')
    assert write("bob", b"/a/2") is None
    assert used(machine)[1] == 2


def test_what_the_cluster_decides_is_counted_and_never_refused() -> None:
    machine = limited(max_keys=1)
    machine.apply(lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60))
    machine.apply(**put(b"/a/1", lease=7))
    machine.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7))
    assert used(machine) == (0, 0)
    limit(machine, prefix=b"", max_keys=0)
    machine.apply(lease_grant=rpc.LeaseGrantRequest(ID=9, TTL=60))
    assert (
        machine.apply(
            rendezvous={"join": {"job": "j", "node": "n", "lease": 9, "settings": {"min_nodes": 1, "max_nodes": 1}}}
        ).error
        is None
    )
    assert used(machine, b"")[1] > 0


def test_a_retry_gets_the_refusal_again() -> None:
    machine = limited(max_keys=0)
    first = machine.apply(request_id=(b"c", 1), **put(b"/a/1")).error
    limit(machine, max_keys=5)
    again = machine.apply(request_id=(b"c", 1), **put(b"/a/1")).error
    assert str(first) == str(again)
    assert isinstance(error_of_status(8, str(first)), QuotaExceededError)


def test_a_quota_that_is_removed_binds_nobody_and_counts_nothing() -> None:
    machine = limited(max_keys=0)
    assert isinstance(machine.apply(remove_quota=RemoveQuotaRequest(prefix=b"/b/")).error, QuotaNotFoundError)
    assert machine.apply(remove_quota=RemoveQuotaRequest(prefix=b"/a/")).error is None
    assert machine.machine.store.counted is None
    assert machine.apply(**put(b"/a/1")).error is None
    assert not [row for row in machine.rows()[Table.STATE] if row.startswith(b"quota")]


def test_there_are_so_many_quotas_and_no_more() -> None:
    machine = Machine()
    for number in range(MAX_QUOTAS):
        limit(machine, prefix=b"%d/" % number, max_keys=1)
    limit(machine, prefix=b"7/", max_keys=2)
    one_more = machine.apply(set_quota=SetQuotaRequest(quota=Quota(prefix=b"x", max_keys=1)))
    assert isinstance(one_more.error, TooManyQuotasError)


def test_restarts_keep_quotas_and_what_is_used() -> None:
    machine = limited(max_keys=3, max_bytes=1000)
    machine.apply(**put(b"/a/1", b"value"))
    again = machine.restarted()
    assert used(again) == (9, 1)
    assert again.machine.quotas.quotas == machine.machine.quotas.quotas
    assert again.rows() == machine.rows()
    again.apply(**put(b"/a/2"))
    again.apply(**put(b"/a/3"))
    assert again.apply(**put(b"/a/4")).error is not None


KEYS = [b"/a/1", b"/a/2", b"/a/b/1", b"/a/b/2", b"/c", b"/a"]
PREFIXES = [b"", b"/a/", b"/a/b/"]


def _random_command(dice: random.Random) -> bytes:
    key, other = sorted(dice.sample(KEYS, 2))
    value = bytes(dice.randrange(12))
    puts = [op(request_put=rpc.PutRequest(key=name, value=value)) for name in (key, other)]
    deletion = rpc.DeleteRangeRequest(key=key, range_end=other)
    limits: dict[str, Any] = {"max_keys": dice.randrange(5)} if dice.random() < 0.5 else {"max_bytes": dice.randrange(60)}
    bodies: list[dict[str, Any]] = [
        *[put(key, value)] * 4,
        put(key, value, lease=5),
        txn(*puts),
        txn(op(request_delete_range=deletion), puts[1]),
        {"delete_range": deletion},
        {"lease_grant": rpc.LeaseGrantRequest(ID=5, TTL=60)},
        {"lease_revoke": rpc.LeaseRevokeRequest(ID=5)},
        {"update": UpdateRequest(changes=[Change(kind=Change.APPEND, key=key, value=value)])},
        {"set_quota": SetQuotaRequest(quota=Quota(prefix=dice.choice(PREFIXES), **limits))},
        {"remove_quota": RemoveQuotaRequest(prefix=dice.choice(PREFIXES))},
    ]
    return command(**dice.choice(bodies))


@pytest.mark.parametrize("seed", range(4))
def test_the_count_is_what_a_scan_would_count_whatever_happens(seed: int) -> None:
    dice, machine = random.Random(seed), Machine()
    refused = 0
    for entry in entries([_random_command(dice) for _ in range(400)]):
        before = {prefix: (usage.bytes, usage.keys) for prefix, usage in machine.machine.quotas.usage.items()}
        outcome = machine.apply_entry(entry)
        if isinstance(outcome.error, QuotaExceededError):
            refused += 1
            assert {prefix: used(machine, prefix) for prefix in before} == before
        live = [(key, KeyValue.FromString(row)) for key, row in machine.state.scan(Table.LIVE)]
        for prefix in machine.machine.quotas.usage:
            under = [kv for key, kv in live if key.startswith(prefix)]
            assert used(machine, prefix) == (sum(len(kv.key) + len(kv.value) for kv in under), len(under))
        if dice.random() < 0.05:
            machine = machine.restarted()
    assert refused > 10


@given(st.binary(max_size=200), st.binary(max_size=300), st.integers(0, 2**62), st.integers(0, 2**62))
@settings(max_examples=50)
def test_bytes_are_those_of_key_and_value(key: bytes, value: bytes, revision: int, lease: int) -> None:
    kv = KeyValue(key=key or b"k", value=value, create_revision=1, mod_revision=revision, version=3, lease=lease)
    assert content_bytes(kv.key, kv.SerializeToString()) == len(kv.key) + len(value)


@given(st.lists(st.binary(max_size=3), max_size=6), st.binary(max_size=5))
@settings(max_examples=100)
def test_prefixes_are_those_that_a_key_begins_with(prefixes: list[bytes], key: bytes) -> None:
    found = Prefixes(prefixes).of(key)
    assert found == sorted({prefix for prefix in prefixes if key.startswith(prefix)}, key=len)
    for prefix in prefixes:
        end = end_of(prefix)
        assert key.startswith(prefix) == (key >= prefix and (end is None or key < end))
