from collections.abc import Callable, Sequence

import pytest

from raftkv.errors import LeaseNotFoundError, NoLeaderError, RequestError, TooManyRequestsError
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.batched_asks import BatchedAsks, Batching

MAX_BATCH, MAX_WAITING = 3, 5


class Leader:
    """Is asked about bytes, and answers each of them doubled; nothing is known of 13."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Reply[bytes]]] = []
        self.moments: list[Callable[[], None]] = []
        batching: Batching[int, int] = Batching(
            kind=Kind.RENEW_LEASES,
            pack=bytes,
            unpack=doubled,
            later=self.moments.append,
            max_batch=MAX_BATCH,
            max_waiting=MAX_WAITING,
        )
        self.asks = BatchedAsks(self.ask, batching)

    def ask(self, kind: int, body: bytes) -> Reply[bytes]:
        assert kind == Kind.RENEW_LEASES
        self.asked.append((body, Reply()))
        return self.asked[-1][1]

    def pass_time(self) -> None:
        while self.moments:
            self.moments.pop()()

    def answer(self) -> None:
        for body, reply in self.asked:
            reply.set_result(body)


def doubled(body: bytes) -> Sequence[int | RequestError]:
    return [LeaseNotFoundError() if item == 13 else 2 * item for item in body]


def test_what_comes_within_a_moment_is_one_question() -> None:
    leader = Leader()
    replies = [leader.asks.ask(item) for item in (4, 2)]
    assert not leader.asked
    leader.pass_time()
    assert [body for body, _ in leader.asked] == [b"\4\2"]
    leader.answer()
    assert [reply.result() for reply in replies] == [8, 4]


def test_many_are_asked_about_in_questions_of_bounded_size() -> None:
    leader = Leader()
    replies = [leader.asks.ask(item) for item in range(5)]
    leader.pass_time()
    assert [len(body) for body, _ in leader.asked] == [3, 2]
    leader.answer()
    assert [reply.result() for reply in replies] == [0, 2, 4, 6, 8]


def test_no_more_may_wait_than_is_allowed_until_some_are_answered() -> None:
    leader = Leader()
    for item in range(MAX_WAITING):
        leader.asks.ask(item)
    with pytest.raises(TooManyRequestsError):
        leader.asks.ask(9)
    leader.pass_time()
    leader.answer()
    leader.asks.ask(9)


def test_refused_item_refuses_no_other() -> None:
    leader = Leader()
    refused, other = leader.asks.ask(13), leader.asks.ask(1)
    leader.pass_time()
    leader.answer()
    assert isinstance(refused.exception(), LeaseNotFoundError)
    assert other.result() == 2


def test_failed_question_fails_all_who_still_wait() -> None:
    leader = Leader()
    gone, waits = leader.asks.ask(1), leader.asks.ask(2)
    gone.cancel()
    leader.pass_time()
    leader.asked[0][1].set_exception(NoLeaderError())
    assert isinstance(waits.exception(), NoLeaderError)
    assert gone.cancelled()
