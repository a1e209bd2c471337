import pytest

from raftkv.apply.outcome import Outcome
from raftkv.errors import KeyNotFoundError
from raftkv.mvcc import finish
from raftkv.pb import rpc
from raftkv.pb.command import SetClusterVersion
from raftkv.raft.messages import Entry, EntryKind
from tests.apply.commands import Machine, command, put


def test_empty_entry_only_moves_the_applied_index() -> None:
    machine = Machine()
    outcome = machine.apply_data(b"")
    assert outcome == Outcome()
    assert (machine.machine.applied_index, machine.machine.applied_term) == (1, 3)


def test_outcome_says_whose_proposal_it_was() -> None:
    outcome = Machine().apply_data(command(proposer=5, proposal=9, **put(b"a", b"1")))
    assert (outcome.proposer, outcome.proposal) == (5, 9)
    answer = outcome.answer()
    assert answer is not None
    assert answer.header.revision == 2
    assert [event.key for event in outcome.events] == [b"a"]


def test_refusal_is_an_outcome_and_moves_the_applied_index() -> None:
    machine = Machine()
    outcome = machine.apply(**put(b"a", ignore_value=True))
    assert isinstance(outcome.error, KeyNotFoundError)
    assert (outcome.answer(), outcome.events) == (None, ())
    assert machine.machine.applied_index == 1


def test_every_kind_of_key_request_is_applied() -> None:
    machine = Machine()
    machine.apply(**put(b"a", b"1"))
    answer = machine.apply(txn=rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"b"))]))
    assert answer.response is not None
    assert answer.response.header.revision == 3
    answer = machine.apply(delete_range=rpc.DeleteRangeRequest(key=b"a", range_end=b"\0"))
    assert isinstance(answer.response, rpc.DeleteRangeResponse)
    assert answer.response.deleted == 2
    answer = machine.apply(compact=rpc.CompactionRequest(revision=3))
    assert isinstance(answer.response, rpc.CompactionResponse)
    assert machine.machine.store.compact_revision == 3


def test_long_entry_counts_as_applied_when_it_is_finished() -> None:
    machine = Machine()
    for number in range(2000):
        machine.apply(**put(b"%04d" % number))
    entry = Entry(2001, 3, EntryKind.NORMAL, command(delete_range=rpc.DeleteRangeRequest(key=b"\0", range_end=b"\0")))
    steps = machine.machine.apply(entry)
    assert machine.machine.applied_index == 2000
    outcome = finish(steps)
    assert machine.machine.applied_index == 2001
    assert len(outcome.events) == 2000


def test_entry_out_of_order_is_a_bug() -> None:
    machine = Machine()
    with pytest.raises(AssertionError):
        machine.apply_entry(Entry(2, 1, EntryKind.NORMAL, b""))


def test_an_entry_that_cannot_be_read_is_passed_over() -> None:
    machine = Machine()
    assert machine.apply_data(b"\xff\xff") == Outcome()
    assert machine.machine.applied_index == 1
    machine.apply(**put(b"a", b"1"))
    assert machine.machine.store.revision == 2


def test_command_of_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Machine().apply_data(command())


def test_cluster_version_is_kept() -> None:
    machine = Machine()
    machine.apply(set_cluster_version=SetClusterVersion(version="3.5"))
    assert machine.restarted().machine.cluster_version == "3.5"


def test_progress_is_kept() -> None:
    machine = Machine()
    machine.apply(**put(b"a", b"1"))
    machine.apply_data(b"")
    again = machine.restarted().machine
    assert (again.applied_index, again.applied_term) == (2, 3)
    assert (again.store.revision, again.store.key_count) == (2, 1)
    assert again.store.size_in_use == machine.machine.store.size_in_use
