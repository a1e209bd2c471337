"""Proposals: offered in order, offered again when their term is over, answered once, failed when patience ends."""

import pytest
from google.protobuf.message import DecodeError

from raftkv.apply.command import PUT, body
from raftkv.errors import (
    LeaderFailureTimeoutError,
    MalformedRequestError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
)
from raftkv.pb.command import Command, RequestId
from raftkv.pb.rpc import PutRequest
from raftkv.server.proposals import Proposal, Proposals

MEGABYTE = 1 << 20


def proposals(limit: int = 100) -> Proposals:
    return Proposals(7, 1000, limit=limit, patience_s=5.0)


def identifiers(batch: list[Proposal]) -> list[int]:
    return [proposal.identifier for proposal in batch]


async def test_the_log_holds_the_bytes_of_the_request() -> None:
    pending = proposals()
    request = PutRequest(key=b"k", value=b"v" * 300, lease=5)
    pending.add(body(PUT, request.SerializeToString()), 0.0, request_id=RequestId(client=b"c", sequence=9))
    (proposal,) = pending.take_queued(MEGABYTE)
    command = Command.FromString(proposal.data)
    assert (command.proposer, command.proposal, command.put) == (7, 1000, request)
    assert (command.request_id.client, command.request_id.sequence) == (b"c", 9)


async def test_a_batch_is_cut_at_its_bytes_but_never_empty() -> None:
    pending = proposals()
    for _ in range(3):
        pending.add(body(PUT, PutRequest(value=bytes(94)).SerializeToString()), 0.0)
    assert identifiers(pending.take_queued(10)) == [1000]
    assert identifiers(pending.take_queued(MEGABYTE)) == [1001, 1002]


async def test_what_nobody_took_stays_first() -> None:
    pending = proposals()
    for _ in range(3):
        pending.add(b"", 0.0)
    pending.put_back(pending.take_queued(MEGABYTE)[:3])
    assert identifiers(pending.take_queued(MEGABYTE)) == [1000, 1001, 1002]


async def test_a_later_term_sends_dead_proposals_again_in_order() -> None:
    pending = proposals()
    for _ in range(3):
        pending.add(b"", 0.0)
    pending.bind(pending.take_queued(MEGABYTE), 4, 0.0)
    pending.applied(1001)
    pending.add(b"", 0.0)
    assert not pending.term_applied(4)
    assert pending.term_applied(5)
    assert identifiers(pending.take_queued(MEGABYTE)) == [1000, 1002, 1003]


async def test_a_proposal_bound_to_the_applied_term_is_not_sent_twice() -> None:
    pending = proposals()
    pending.add(b"", 0.0)
    pending.bind(pending.take_queued(MEGABYTE), 5, 0.0)
    assert not pending.term_applied(5)
    assert pending.take_queued(MEGABYTE) == []


async def test_patience_ends_with_an_error_that_tells_whether_a_leader_was_lost() -> None:
    pending = proposals()
    first = pending.add(b"", 0.0)
    pending.bind(pending.take_queued(MEGABYTE), 1, 0.0)
    pending.term_applied(2)
    pending.bind(pending.take_queued(MEGABYTE), 2, 0.0)
    second = pending.add(b"", 0.0)
    third = pending.add(b"", 1.0)
    pending.expire(5.5)
    assert isinstance(first.exception(), LeaderFailureTimeoutError)
    assert type(second.exception()) is RequestTimeoutError
    assert not third.done()
    assert identifiers(pending.take_queued(MEGABYTE)) == [1002]


async def test_who_gave_up_before_being_offered_is_not_offered() -> None:
    pending = proposals()
    pending.add(b"", 0.0).cancel()
    assert pending.take_queued(MEGABYTE) == []
    assert len(pending) == 0


async def test_an_answer_is_given_once() -> None:
    pending = proposals()
    future = pending.add(b"", 0.0)
    answered = pending.applied(1000)
    assert answered is not None
    assert answered.reply is future
    assert pending.applied(1000) is None
    assert pending.applied(31) is None


async def test_what_could_not_be_read_from_the_log_is_refused() -> None:
    """A hundred nested unknown groups parse alone, and not one level further down."""
    deepest = max(depth for depth in range(200) if parses(groups(depth)))
    pending = proposals()
    pending.add(body(PUT, groups(deepest - 1)), 0.0)
    with pytest.raises(MalformedRequestError):
        pending.add(body(PUT, groups(deepest)), 0.0)
    assert len(pending) == 1


def groups(depth: int) -> bytes:
    """A put with so many groups of an unknown field, one in the other."""
    return PutRequest(key=b"k").SerializeToString() + b"\x9b\x06" * depth + b"\x9c\x06" * depth


def parses(data: bytes) -> bool:
    try:
        PutRequest.FromString(data)
    except DecodeError:
        return False
    return True


async def test_too_many_are_refused() -> None:
    pending = proposals(limit=2)
    pending.add(b"", 0.0)
    pending.add(b"", 0.0)
    with pytest.raises(TooManyRequestsError):
        pending.add(b"", 0.0)


async def test_stopping_fails_all() -> None:
    pending = proposals()
    future = pending.add(b"", 0.0)
    pending.stop()
    assert isinstance(future.exception(), StoppedError)


async def test_what_a_snapshot_may_hold_is_never_offered_again() -> None:
    pending = proposals()
    bound, later, queued = (pending.add(b"", 0.0) for _ in range(3))
    batch = pending.take_queued(MEGABYTE)
    pending.bind(batch[:1], 4, 0.0)
    pending.bind(batch[1:2], 5, 0.0)
    pending.put_back(batch[2:])
    pending.replaced(4)
    assert isinstance(bound.exception(), LeaderFailureTimeoutError)
    assert not later.done()
    assert not queued.done()
    pending.term_applied(6)
    assert identifiers(pending.take_queued(MEGABYTE)) == [1001, 1002]
