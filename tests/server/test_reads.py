"""Read rounds: shared, served only when applied, never asked again under an old context."""

import pytest

from raftkv.errors import RequestTimeoutError, StoppedError, TooManyRequestsError
from raftkv.reply import Reply
from raftkv.server.reads import MAX_ROUNDS, RETRY_S, ReadRounds


class Reader:
    """One read that notes when it was served."""

    def __init__(self, rounds: ReadRounds, now: float) -> None:
        self.future: Reply[None] = Reply()
        rounds.add(lambda: self.future.set_result(None), self.future, now)

    @property
    def served(self) -> bool:
        return self.future.done() and self.future.exception() is None


def rounds(limit: int = 100) -> ReadRounds:
    return ReadRounds(1, 50, limit=limit, patience_s=5.0)


async def test_reads_of_one_moment_share_a_round() -> None:
    reads = rounds()
    first, second = Reader(reads, 0.0), Reader(reads, 0.0)
    context = reads.begin(0.0)
    late = Reader(reads, 0.1)
    reads.confirmed(context, 10, applied=10)
    assert first.served
    assert second.served
    assert not late.served


async def test_a_read_waits_until_its_index_is_applied() -> None:
    reads = rounds()
    reader = Reader(reads, 0.0)
    reads.confirmed(reads.begin(0.0), 10, applied=9)
    assert not reader.served
    reads.applied(10)
    assert reader.served


async def test_contexts_are_never_used_twice() -> None:
    reads = rounds()
    contexts = set()
    for _ in range(10):
        Reader(reads, 0.0)
        context = reads.begin(0.0)
        contexts.add(context)
        reads.give_up(context)
    assert len(contexts) == 10


async def test_an_answer_to_a_round_that_was_given_up_serves_nobody() -> None:
    reads = rounds()
    reader = Reader(reads, 0.0)
    old = reads.begin(0.0)
    assert reads.expire(RETRY_S)
    new = reads.begin(RETRY_S)
    reads.confirmed(old, 1, applied=1)
    assert not reader.served
    reads.confirmed(new, 2, applied=2)
    assert reader.served


async def test_rounds_under_way_are_bounded() -> None:
    reads = rounds()
    for _ in range(MAX_ROUNDS):
        Reader(reads, 0.0)
        assert reads.waiting
        reads.begin(0.0)
    Reader(reads, 0.0)
    assert not reads.waiting


async def test_patience_ends() -> None:
    reads = rounds()
    waiting, unapplied = Reader(reads, 0.0), Reader(reads, 0.0)
    reads.confirmed(reads.begin(0.0), 10, applied=0)
    third = Reader(reads, 1.0)
    reads.expire(5.0)
    assert isinstance(waiting.future.exception(), RequestTimeoutError)
    assert isinstance(unapplied.future.exception(), RequestTimeoutError)
    assert not third.future.done()


async def test_freshness_is_the_beginning_of_a_served_round() -> None:
    reads = rounds()
    Reader(reads, 3.0)
    context = reads.begin(3.5)
    assert reads.fresh_at < 0
    reads.confirmed(context, 10, applied=9)
    assert reads.fresh_at < 0
    reads.applied(10)
    assert reads.fresh_at == 3.5


async def test_places_are_given_back() -> None:
    reads = rounds(limit=1)
    for _ in range(3):
        Reader(reads, 0.0)
        with pytest.raises(TooManyRequestsError):
            Reader(reads, 0.0)
        reads.confirmed(reads.begin(0.0), 1, applied=1)
    gave_up = Reader(reads, 0.0)
    gave_up.future.cancel()
    reads.expire(0.1)
    Reader(reads, 0.1)


async def test_stopping_fails_all() -> None:
    reads = rounds()
    readers = [Reader(reads, 0.0)]
    reads.begin(0.0)
    readers.append(Reader(reads, 0.0))
    reads.confirmed(reads.begin(0.0), 5, applied=0)
    readers.append(Reader(reads, 0.0))
    reads.stop()
    assert all(isinstance(reader.future.exception(), StoppedError) for reader in readers)
