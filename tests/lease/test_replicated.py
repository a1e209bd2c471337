"""What replicas share of leases: which there are, what hangs on them, and what goes with them."""

from random import Random

import pytest

from raftkv.errors import CorruptClusterError, LeaseExistsError, LeaseNotFoundError, NoSpaceError, NotLeaderError
from raftkv.mvcc import finish
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb import rpc
from raftkv.pb.command import CheckpointLeases, ExpireLeases
from raftkv.storage.engine import Table
from tests.apply.commands import Machine, put
from tests.mvcc.making import delete, get, op

TERM = 3
"""In which Machine's entries are."""


class Leases(Machine):
    """A machine with short words for leases."""

    def grant(self, lease_id: int, ttl: int = 60) -> object:
        return self.apply(lease_grant=rpc.LeaseGrantRequest(ID=lease_id, TTL=ttl))

    def revoke(self, lease_id: int) -> object:
        return self.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=lease_id))

    def expire(self, *ids: int, term: int = TERM) -> object:
        return self.apply(expire_leases=ExpireLeases(term=term, ids=ids))

    def lease_of(self, key: bytes) -> int:
        response = finish(self.machine.store.range(get(key)))
        return response.kvs[0].lease if response.kvs else -1

    def check(self) -> None:
        """The invariants at the head of lessor.py."""
        lessor = self.machine.lessor
        rows = self.rows()
        assert {int.from_bytes(row, "big", signed=True) for row in rows[Table.LEASES]} == set(lessor.leases)
        hanging = {(lease.id, key) for lease in lessor.leases.values() for key in lease.keys}
        assert {(int.from_bytes(row[:8], "big", signed=True), row[8:]) for row in rows[Table.LEASE_KEYS]} == hanging
        assert {(lease, key) for key, lease in lessor.by_key.items()} == hanging
        everything = finish(self.machine.store.range(get(b"\0", b"\0")))
        assert {(kv.lease, kv.key) for kv in everything.kvs if kv.lease} == hanging


@pytest.fixture
def leases() -> Leases:
    return Leases()


def test_a_grant_is_answered_with_its_id_and_ttl(leases: Leases) -> None:
    outcome = leases.apply(lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60))
    assert outcome.response == rpc.LeaseGrantResponse(header=rpc.ResponseHeader(revision=1), ID=7, TTL=60)


def test_an_id_is_granted_once(leases: Leases) -> None:
    leases.grant(7)
    outcome = leases.apply(lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60))
    assert type(outcome.error) is LeaseExistsError


def test_a_put_needs_its_lease(leases: Leases) -> None:
    assert type(leases.apply(**put(b"a", lease=7)).error) is LeaseNotFoundError
    request = rpc.TxnRequest(success=[op(put(b"a", lease=7)["put"])])
    assert type(leases.apply(txn=request).error) is LeaseNotFoundError


def test_a_revoke_deletes_its_keys_in_order_and_in_one_revision(leases: Leases) -> None:
    leases.grant(7)
    for key in (b"c", b"a", b"b"):
        leases.apply(**put(key, lease=7))
    outcome = leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7))
    assert [(event.key, event.revision, event.encoded) for event in outcome.events] == [
        (key, 5, None) for key in (b"a", b"b", b"c")
    ]
    assert outcome.response == rpc.LeaseRevokeResponse(header=rpc.ResponseHeader(revision=5))
    leases.check()


def test_very_many_keys_are_put_in_order_in_slices(leases: Leases) -> None:
    lessor = leases.machine.lessor
    lessor.grant(7, 60)
    keys = [b"%05d" % number for number in range(20 * SLICE_ROWS)]
    for key in Random(1).sample(keys, len(keys)):
        lessor.hang(key, 7)
    ordered: list[bytes] = []

    def sort() -> Steps[None]:
        ordered.extend((yield from lessor.sorted_keys(7)))

    assert sum(1 for _ in sort()) >= 40  # slices that sort, and slices that merge
    assert ordered == keys == lessor.keys(7)


def test_a_revoke_without_keys_makes_no_revision(leases: Leases) -> None:
    leases.grant(7)
    assert leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7)).events == []
    assert leases.machine.store.revision == 1


def test_a_lease_is_revoked_once(leases: Leases) -> None:
    leases.grant(7)
    leases.revoke(7)
    assert type(leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7)).error) is LeaseNotFoundError


@pytest.mark.parametrize("in_txn", [False, True])
def test_a_put_without_a_lease_lets_the_key_live(leases: Leases, *, in_txn: bool) -> None:
    leases.grant(7)
    leases.apply(**put(b"a", lease=7))
    again = put(b"a", b"2")
    leases.apply(txn=rpc.TxnRequest(success=[op(again["put"]), op(get(b"a"))])) if in_txn else leases.apply(**again)
    leases.check()
    leases.revoke(7)
    assert leases.lease_of(b"a") == 0


@pytest.mark.parametrize("in_txn", [False, True])
def test_a_put_under_another_lease_moves_the_key(leases: Leases, *, in_txn: bool) -> None:
    leases.grant(7)
    leases.grant(8)
    leases.apply(**put(b"a", lease=7))
    again = put(b"a", lease=8)
    leases.apply(txn=rpc.TxnRequest(success=[op(again["put"]), op(get(b"a"))])) if in_txn else leases.apply(**again)
    leases.check()
    leases.revoke(7)
    assert leases.lease_of(b"a") == 8
    leases.revoke(8)
    assert leases.lease_of(b"a") == -1


@pytest.mark.parametrize("in_txn", [False, True])
def test_ignore_lease_keeps_the_lease(leases: Leases, *, in_txn: bool) -> None:
    leases.grant(7)
    leases.apply(**put(b"a", lease=7))
    again = put(b"a", b"2", ignore_lease=True)
    leases.apply(txn=rpc.TxnRequest(success=[op(again["put"]), op(get(b"a"))])) if in_txn else leases.apply(**again)
    leases.check()
    assert leases.lease_of(b"a") == 7


def test_a_deleted_key_hangs_on_nothing(leases: Leases) -> None:
    leases.grant(7)
    for key in (b"a", b"b", b"c"):
        leases.apply(**put(key, lease=7))
    leases.apply(delete_range=delete(b"a", b"c"))
    leases.check()
    assert leases.machine.lessor.keys(7) == [b"c"]


def test_a_key_put_and_deleted_in_one_transaction_hangs_on_nothing(leases: Leases) -> None:
    leases.grant(7)
    nested = [rpc.TxnRequest(success=[op(request)]) for request in (put(b"a", lease=7)["put"], delete(b"a"))]
    assert leases.apply(txn=rpc.TxnRequest(success=[op(request) for request in nested])).error is None
    leases.check()
    assert leases.lease_of(b"a") == -1


def test_a_failed_transaction_moves_no_key(leases: Leases) -> None:
    leases.grant(7)
    leases.apply(**put(b"a", lease=7))
    request = rpc.TxnRequest(success=[op(put(b"a")["put"]), op(put(b"b", lease=99)["put"])])
    assert leases.apply(txn=request).error is not None
    leases.check()
    assert leases.lease_of(b"a") == 7


def test_expired_leases_go_in_one_entry_and_a_revision_each(leases: Leases) -> None:
    for lease_id in (1, 2, 3):
        leases.grant(lease_id)
        leases.apply(**put(b"k%d" % lease_id, lease=lease_id))
    leases.grant(4)  # without keys: without a revision
    outcome = leases.apply(expire_leases=ExpireLeases(term=TERM, ids=[3, 4, 1, 99, 1]))
    assert [(event.key, event.revision) for event in outcome.events] == [(b"k3", 5), (b"k1", 6)]
    assert list(leases.machine.lessor.leases) == [2]
    leases.check()


def test_an_expiry_of_another_term_does_nothing(leases: Leases) -> None:
    leases.grant(7)
    for term in (TERM - 1, TERM + 1):
        assert type(leases.apply(expire_leases=ExpireLeases(term=term, ids=[7])).error) is NotLeaderError
    checkpoint = CheckpointLeases(term=TERM - 1, ids=[7], remaining_s=[1])
    assert type(leases.apply(checkpoint_leases=checkpoint).error) is NotLeaderError
    assert leases.machine.lessor.leases[7].remaining_s == 0


def test_many_expiries_are_done_in_slices_and_seen_at_once(leases: Leases) -> None:
    ids = range(1, 201)
    for lease_id in ids:
        leases.grant(lease_id)
        leases.apply(**put(b"%03d" % lease_id, lease=lease_id))
    before = leases.machine.store.revision
    data = rpc.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)
    steps = leases.machine.leases.expire(ExpireLeases(term=TERM, ids=ids), TERM)
    pauses = 0
    try:
        while True:
            next(steps)
            pauses += 1
            assert finish(leases.machine.store.range(data)).count == 200
            assert leases.machine.store.revision == before
    except StopIteration as end:
        _, events = end.value
    assert pauses >= 3
    assert [event.revision for event in events] == list(range(before + 1, before + 201))
    leases.check()


def test_a_lease_of_many_keys_goes_in_slices_and_one_revision(leases: Leases) -> None:
    leases.grant(7)
    for number in range(1200):
        leases.apply(**put(b"%04d" % number, lease=7))
    outcome = leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7))
    assert len(outcome.events) == 1200
    assert {event.revision for event in outcome.events} == {leases.machine.store.revision}
    assert leases.machine.store.key_count == 0
    leases.check()


def test_everything_is_there_after_a_restart(leases: Leases) -> None:
    leases.grant(7, 100)
    leases.grant(-5, 50)
    leases.apply(**put(b"a", lease=7))
    leases.apply(**put(b"b", lease=-5))
    leases.apply(checkpoint_leases=CheckpointLeases(term=TERM, ids=[7, 99], remaining_s=[40, 1]))
    leases.write()
    again = Leases(leases.engine)
    found = {lease.id: (lease.ttl_s, lease.remaining_s, lease.keys) for lease in again.machine.lessor.leases.values()}
    assert found == {7: (100, 40, {b"a"}), -5: (50, 0, {b"b"})}
    again.check()
    again.revoke(7)
    assert again.lease_of(b"a") == -1


def test_a_load_forgets_what_was_there_before(leases: Leases) -> None:
    leases.grant(7)
    leases.apply(**put(b"a", lease=7))
    leases.write()
    leases.grant(8)
    leases.state.clear()
    finish(leases.machine.load())
    assert list(leases.machine.lessor.leases) == [7]
    leases.check()


def test_alarms_forbid_what_etcd_forbids(leases: Leases) -> None:
    leases.grant(7)
    for alarm, refusal in ((rpc.NOSPACE, NoSpaceError), (rpc.CORRUPT, CorruptClusterError)):
        leases.apply(alarm=rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=alarm))
        refused = leases.apply(lease_grant=rpc.LeaseGrantRequest(ID=8, TTL=60))
        assert type(refused.error) is refusal
        if alarm == rpc.NOSPACE:
            assert leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=7)).error is None
    assert type(leases.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=9)).error) is CorruptClusterError
    assert type(leases.apply(expire_leases=ExpireLeases(term=TERM, ids=[9])).error) is CorruptClusterError


def test_a_retried_grant_gets_its_first_answer(leases: Leases) -> None:
    first = leases.apply(request_id=(b"c", 1), lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60))
    again = leases.apply(request_id=(b"c", 1), lease_grant=rpc.LeaseGrantRequest(ID=8, TTL=60))
    assert again.response == first.response
    assert list(leases.machine.lessor.leases) == [7]
    leases.apply(request_id=(b"c", 2), lease_revoke=rpc.LeaseRevokeRequest(ID=7))
    assert leases.apply(request_id=(b"c", 2), lease_revoke=rpc.LeaseRevokeRequest(ID=7)).error is None
