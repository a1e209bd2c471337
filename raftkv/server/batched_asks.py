"""What many clients ask the leader at the same time: all that comes within a moment is one question, whoever leads.

    ask(item) ---a moment later---> one question with all items ---answered---> each reply has its own answer, or error

Only what may be asked twice is asked this way (raftkv.server.asking).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from raftkv.errors import RequestError, TooManyRequestsError
from raftkv.peer.asks import Kind
from raftkv.reply import Reply

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching(Generic[Item, Answer]):
    """How items are asked about together."""

    kind: Kind
    pack: Callable[[Sequence[Item]], bytes]
    """The items of a question, on the wire."""
    unpack: Callable[[bytes], Sequence[Answer | RequestError]]
    """What became of each of them, in the same order."""
    later: Callable[[Callable[[], None]], object]
    """Calls when the moment is over."""
    max_batch: int
    """Items in one question."""
    max_waiting: int
    """Items that may wait for an answer."""


class BatchedAsks(Generic[Item, Answer]):
    """What waits for the leader."""

    def __init__(self, ask_leader: Callable[[int, bytes], Reply[bytes]], batching: Batching[Item, Answer]) -> None:
        """`ask_leader`: see Replica.ask_leader."""
        self._ask_leader = ask_leader
        self._batching = batching
        self._max_waiting = batching.max_waiting
        self._items: list[Item] = []
        """What this moment has brought."""
        self._replies: list[Reply[Answer]] = []
        """Theirs."""
        self._waiting = 0

    def ask(self, item: Item) -> Reply[Answer]:
        """The reply gets what the leader answers.

        Raises:
            TooManyRequestsError: too many wait already.
        """
        if self._waiting >= self._max_waiting:
            raise TooManyRequestsError
        self._waiting += 1
        reply: Reply[Answer] = Reply()
        if not self._items:
            self._batching.later(self._ask)
        self._items.append(item)
        self._replies.append(reply)
        return reply

    def _ask(self) -> None:
        items, replies, size = self._items, self._replies, self._batching.max_batch
        self._items, self._replies = [], []
        for first in range(0, len(items), size):
            self._ask_together(items[first : first + size], replies[first : first + size])

    def _ask_together(self, items: Sequence[Item], replies: Sequence[Reply[Answer]]) -> None:
        asked = self._ask_leader(self._batching.kind, self._batching.pack(items))
        asked.add_done_callback(lambda answer: self._answered(replies, answer))

    def _answered(self, replies: Sequence[Reply[Answer]], answer: Reply[bytes]) -> None:
        self._waiting -= len(replies)
        error = answer.exception()
        if error is not None:
            for reply in replies:
                if not reply.done():
                    reply.set_exception(error)
            return
        answers = self._batching.unpack(answer.result())
        assert len(answers) == len(replies), "the leader answered another question"
        for reply, each in zip(replies, answers, strict=True):
            if reply.done():
                continue
            if isinstance(each, RequestError):
                reply.set_exception(each)
            else:
                reply.set_result(each)
