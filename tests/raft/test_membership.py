"""Membership changes: their bytes, their effect, and the memberships along a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv.pb import raft as pb
from raftkv.raft import InvalidChangeError, changed, decode_change, encode_change
from raftkv.raft.membership import Configurations
from raftkv.raft.messages import ChangeKind, Entry, EntryKind, Membership, MembershipChange, Snapshot

ADD_VOTER, ADD_LEARNER, REMOVE = ChangeKind
changes = st.builds(MembershipChange, st.sampled_from(ChangeKind), st.integers(1, 2**64 - 1), st.binary(max_size=300))
few_changes = st.builds(MembershipChange, st.sampled_from(ChangeKind), st.integers(1, 6))


@given(changes)
def test_bytes_are_those_of_the_protobuf_message(change: MembershipChange) -> None:
    message = pb.MembershipChange(kind=change.kind.name, node_id=change.node_id, context=change.context)
    assert encode_change(change) == message.SerializeToString()
    assert decode_change(message.SerializeToString()) == change


@given(st.binary(max_size=40))
def test_any_bytes_are_a_change_or_refused(data: bytes) -> None:
    try:
        change = decode_change(data)
    except InvalidChangeError:
        return
    assert decode_change(encode_change(change)) == change


@given(st.lists(few_changes, max_size=20))
def test_voters_change_by_one_member_and_are_never_learners_too(sequence: list[MembershipChange]) -> None:
    membership = Membership((1, 2, 3), (4,))
    for change in sequence:
        try:
            after = changed(membership, change)
        except InvalidChangeError:
            continue
        assert len(set(membership.voters) ^ set(after.voters)) <= 1
        assert not set(after.voters) & set(after.learners)
        assert after.voters == tuple(sorted(after.voters))
        assert after.voters
        membership = after


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (MembershipChange(ADD_VOTER, 4), Membership((1, 2, 4))),
        (MembershipChange(ADD_VOTER, 3), Membership((1, 2, 3), (4,))),
        (MembershipChange(ADD_LEARNER, 3), Membership((1, 2), (3, 4))),
        (MembershipChange(ADD_LEARNER, 4), Membership((1, 2), (4,))),
        (MembershipChange(REMOVE, 2), Membership((1,), (4,))),
        (MembershipChange(REMOVE, 4), Membership((1, 2))),
        (MembershipChange(REMOVE, 9), Membership((1, 2), (4,))),
    ],
)
def test_effect_of_a_change(change: MembershipChange, after: Membership) -> None:
    assert changed(Membership((1, 2), (4,)), change)[0] == (
        after.voters if change != MembershipChange(ADD_VOTER, 4) else (1, 2, 4)
    )
    assert changed(Membership((1, 2), (4,)), change) == after


def entry(index: int, kind: ChangeKind, node: int) -> Entry:
    return Entry(index, 1, EntryKind.MEMBERSHIP, encode_change(MembershipChange(kind, node)))


def test_memberships_follow_the_log_forwards_and_backwards() -> None:
    configurations = Configurations(0, Membership((1,)))
    configurations.append(entry(3, ADD_VOTER, 2))
    configurations.append(entry(7, ADD_LEARNER, 3))
    assert [configurations.at(index).voters for index in (0, 2, 3, 6, 7, 9)] == [(1,), (1,), (1, 2), (1, 2), (1, 2), (1, 2)]
    configurations.truncate(7)
    assert configurations.current == Membership((1, 2))
    configurations.truncate(1)
    assert (configurations.current, configurations.current_index) == (Membership((1,)), 0)


def test_compaction_forgets_what_was_replaced_before_it() -> None:
    configurations = Configurations(0, Membership((1,)))
    configurations.append(entry(3, ADD_VOTER, 2))
    configurations.append(entry(7, ADD_VOTER, 3))
    configurations.forget_before(5)
    assert configurations.at(5) == Membership((1, 2))
    configurations.truncate(6)
    assert configurations.current == Membership((1, 2))


def test_snapshot_starts_the_memberships_again() -> None:
    configurations = Configurations(0, Membership((1,)))
    configurations.append(entry(3, ADD_VOTER, 2))
    configurations.reset(Snapshot(9, 2, Membership((4, 5))))
    assert (configurations.current, configurations.previous, configurations.current_index) == (
        Membership((4, 5)),
        Membership((4, 5)),
        9,
    )
