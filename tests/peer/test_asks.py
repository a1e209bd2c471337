"""Questions between nodes: answered, refused, lost, late; never more than bounded."""

import pytest

from raftkv.clock import ManualClock
from raftkv.errors import (
    NotLeaderError,
    PeerUnreachableError,
    RequestError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
    UnimplementedError,
)
from raftkv.peer import asks as asks_module
from raftkv.peer.asks import Ask, AskReply, Asks
from raftkv.peer.codec import decode, encode
from raftkv.reply import Reply

KIND = 7


def answered(body: bytes, source: int) -> Reply[bytes]:
    reply: Reply[bytes] = Reply()
    reply.set_result(b"%d asks: " % source + body)
    return reply


class Pair:
    """Nodes 1 and 2, and what travels between them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.a, self.b = (Asks(node, self.clock, 100 * node, wake=lambda: None) for node in (1, 2))
        self.a.set_members(frozenset({1, 2}))
        self.b.set_members(frozenset({1, 2}))

    def carry(self) -> None:
        while self.a.waiting or self.b.waiting:
            for message in [*self.a.take(), *self.b.take()]:
                arrived = decode(encode(message))
                assert isinstance(arrived, Ask | AskReply)
                (self.a if message.target == 1 else self.b).received(arrived)


@pytest.fixture
def nodes() -> Pair:
    return Pair()


def test_a_question_is_answered_by_the_handler_of_its_kind(nodes: Pair) -> None:
    nodes.b.serve(KIND, answered)
    nodes.b.serve(KIND + 1, lambda body, source: answered(b"other", source))
    first, second = (nodes.a.ask(2, kind, b"hello", 1.0) for kind in (KIND, KIND + 1))
    nodes.carry()
    assert (first.result(), second.result()) == (b"1 asks: hello", b"1 asks: other")


def test_questions_of_one_turn_leave_together(nodes: Pair) -> None:
    for _ in range(3):
        nodes.a.ask(2, KIND, b"", 1.0)
    assert len(nodes.a.take()) == 3
    assert not nodes.a.waiting


def test_a_handler_may_answer_later(nodes: Pair) -> None:
    later: Reply[bytes] = Reply()
    nodes.b.serve(KIND, lambda body, source: later)
    reply = nodes.a.ask(2, KIND, b"", 1.0)
    nodes.carry()
    assert not reply.done()
    later.set_result(b"now")
    nodes.carry()
    assert reply.result() == b"now"


def test_an_error_comes_back_as_its_class(nodes: Pair) -> None:
    def refuse(body: bytes, source: int) -> Reply[bytes]:
        raise NotLeaderError

    nodes.b.serve(KIND, refuse)
    known, unknown = nodes.a.ask(2, KIND, b"", 1.0), nodes.a.ask(2, 999, b"", 1.0)
    nodes.carry()
    assert type(known.exception()) is NotLeaderError
    assert type(unknown.exception()) is UnimplementedError


def test_a_node_may_ask_itself(nodes: Pair) -> None:
    nodes.a.serve(KIND, answered)
    assert nodes.a.ask(1, KIND, b"x", 1.0).result() == b"1 asks: x"
    assert not nodes.a.waiting


def test_a_stranger_cannot_be_asked(nodes: Pair) -> None:
    assert type(nodes.a.ask(3, KIND, b"", 1.0).exception()) is PeerUnreachableError


def test_a_lost_peer_fails_its_questions_at_once_and_no_others(nodes: Pair) -> None:
    nodes.a.set_members(frozenset({1, 2, 3}))
    lost, kept = nodes.a.ask(2, KIND, b"", 1.0), nodes.a.ask(3, KIND, b"", 1.0)
    nodes.a.lost(2)
    assert type(lost.exception()) is PeerUnreachableError
    assert not kept.done()


def test_a_removed_member_fails_its_questions(nodes: Pair) -> None:
    reply = nodes.a.ask(2, KIND, b"", 1.0)
    nodes.a.set_members(frozenset({1}))
    assert type(reply.exception()) is PeerUnreachableError


def test_time_passes_on_the_clock_that_was_handed_in(nodes: Pair) -> None:
    short, long = nodes.a.ask(2, KIND, b"", 1.0), nodes.a.ask(2, KIND, b"", 3.0)
    nodes.clock.advance(2.0)
    nodes.a.expire()
    assert type(short.exception()) is RequestTimeoutError
    assert not long.done()


def test_an_answer_after_the_end_answers_nobody(nodes: Pair) -> None:
    nodes.b.serve(KIND, answered)
    late, cancelled = nodes.a.ask(2, KIND, b"", 1.0), nodes.a.ask(2, KIND, b"", 1.0)
    cancelled.cancel()
    nodes.a.lost(2)
    nodes.carry()
    assert isinstance(late.exception(), PeerUnreachableError)


def test_only_who_was_asked_may_answer(nodes: Pair) -> None:
    reply = nodes.a.ask(2, KIND, b"", 1.0)
    (ask,) = nodes.a.take()
    nodes.a.received(AskReply(3, 1, ask.number, b"forged"))
    assert not reply.done()


def test_both_sides_are_bounded(nodes: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks_module, "MAX_OUTSTANDING", 2)
    monkeypatch.setattr(asks_module, "MAX_SERVED", 1)
    open_ended: list[Reply[bytes]] = []

    def never(body: bytes, source: int) -> Reply[bytes]:
        open_ended.append(Reply())
        return open_ended[-1]

    nodes.b.serve(KIND, never)
    served, refused_there, refused_here = (nodes.a.ask(2, KIND, b"", 1.0) for _ in range(3))
    assert type(refused_here.exception()) is TooManyRequestsError
    nodes.carry()
    assert not served.done()
    assert type(refused_there.exception()) is TooManyRequestsError
    open_ended[0].set_result(b"")
    again = nodes.a.ask(2, KIND, b"", 1.0)
    nodes.carry()
    assert not again.done()
    assert len(open_ended) == 2


def test_who_is_told_of_a_loss_may_ask_again_at_once(nodes: Pair) -> None:
    second: list[Reply[bytes]] = []
    nodes.a.ask(2, KIND, b"", 1.0).add_done_callback(lambda _: second.append(nodes.a.ask(2, KIND, b"", 1.0)))
    nodes.a.lost(2)
    assert not second[0].done()


def test_a_stopped_node_fails_everything(nodes: Pair) -> None:
    reply = nodes.a.ask(2, KIND, b"", 1.0)
    nodes.a.stop()
    nodes.a.received(AskReply(2, 1, 100, b"late"))
    for failed in (reply, nodes.a.ask(2, KIND, b"", 1.0)):
        assert isinstance(failed.exception(), RequestError)
        assert type(failed.exception()) is StoppedError
