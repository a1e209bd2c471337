"""raftkv.v1.Updates: changes that depend on what keys hold, decided where nobody comes in between.

    changes, one after the other, on the keys as the changes before left them -> what each key holds in the end
    -> one transaction -> one revision, one event for each key

A queue is a range of keys, one for each item: the queue's key, a space, and when the item was pushed, as 16 and 8 hexadecimal
digits (the revision, and the number within the request). So items stand in the order in which they were pushed, and a range
from the key to `key + "!"` holds the key and its queue, and nothing else where keys contain no bytes below "!".
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from raftkv.mvcc import Event, Steps, Store
from raftkv.mvcc.steps import finish
from raftkv.mvcc.store import Written
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import RangeRequest, TxnRequest
from raftkv.pb.update import Change, ChangeResult, UpdateRequest, UpdateResponse

ITEM, ITEM_END = b" ", b"!"
"""What stands between a queue's key and the place of an item, and what no item's key reaches."""
_LIMIT = 2**63
"""Sums lie in [-_LIMIT, _LIMIT)."""

Updated = tuple[UpdateResponse, Sequence[Event]]


def queue_range(key: bytes) -> tuple[bytes, bytes]:
    """The range of the items of a queue."""
    return key + ITEM, key + ITEM_END


class Updates:
    """Applies them to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def apply(self, request: UpdateRequest) -> Updated | Steps[Updated]:
        """Makes the changes. Raises LeaseNotFoundError where there is something to hang on a lease that there is not."""
        draft = _Draft(self._store, request)
        response = UpdateResponse()
        for change in request.changes:
            _CHANGES[change.kind](draft, request.prefix + change.key, change, response.results.add())
        transaction = draft.transaction(request.lease)
        if not transaction.success:
            response.header.revision = self._store.revision
            return response, ()
        written = self._store.txn(transaction)
        return _answer(response, written) if isinstance(written, Written) else _finish(response, written)


def _finish(response: UpdateResponse, steps: Steps[Written]) -> Steps[Updated]:
    return _answer(response, (yield from steps))


def _answer(response: UpdateResponse, written: Written) -> Updated:
    response.header.revision = written.response.header.revision
    return response, written.events


class _Draft:
    """The keys as the changes so far leave them."""

    def __init__(self, store: Store, request: UpdateRequest) -> None:
        self._store = store
        self._pops = sum(change.kind == Change.POP for change in request.changes)
        self._values: dict[bytes, bytes | None] = {}
        self._before: dict[bytes, bytes | None] = {}
        """What the keys that were looked at hold in the store."""
        self._written: dict[bytes, None] = {}
        """The keys that were set, in the order in which they first were."""
        self._queues: dict[bytes, deque[bytes]] = {}
        """The keys of the items of a queue, some of them popped or deleted maybe."""
        self._items: dict[bytes, list[bytes]] = {}
        """The keys of items that were set, by queue."""
        self._pushes = 0

    def get(self, key: bytes) -> bytes | None:
        """What a key holds; None: it is not there."""
        if key not in self._values:
            found = finish(self._store.range(RangeRequest(key=key))).kvs
            self._values[key] = self._before[key] = found[0].value if found else None
        return self._values[key]

    def set(self, key: bytes, value: bytes | None) -> None:
        """None deletes it."""
        self.get(key)
        self._values[key] = value
        self._written[key] = None

    def set_item(self, key: bytes, value: bytes) -> None:
        """Sets a key that may be an item's."""
        self.set(key, value)
        queue, space, _ = key.rpartition(ITEM)
        if space:
            self._items.setdefault(queue, []).append(key)
            self._queues.pop(queue, None)

    def push(self, key: bytes, value: bytes) -> None:
        """Sets an item after all others."""
        item = b"%b%b%016x-%08x" % (key, ITEM, self._store.revision + 1, self._pushes)
        self._pushes += 1
        self.set(item, value)
        self._items.setdefault(key, []).append(item)
        if key in self._queues:
            self._queues[key].append(item)

    def pop(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The key and the value of the item at the front, which is gone then."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = self._load_queue(key)
        while queue:
            item = queue.popleft()
            value = self.get(item)
            if value is not None:
                self.set(item, None)
                return item, value
        return None

    def transaction(self, lease: int) -> TxnRequest:
        """What turns the store into this; nothing for keys that came and went."""
        transaction = TxnRequest()
        for key in self._written:
            value = self._values[key]
            if value is not None:
                put = transaction.success.add().request_put
                put.key, put.value, put.lease = key, value, lease
            elif self._before[key] is not None:
                transaction.success.add().request_delete_range.key = key
        return transaction

    def _load_queue(self, key: bytes) -> deque[bytes]:
        """Enough of the front for all that is popped here, what was deleted here included."""
        first, end = queue_range(key)
        request = RangeRequest(key=first, range_end=end, limit=self._pops + len(self._written))
        stored = finish(self._store.range(request)).kvs
        self._note(stored)
        return deque(sorted({*[kv.key for kv in stored], *self._items.get(key, ())}))

    def _note(self, stored: Sequence[KeyValue]) -> None:
        for kv in stored:
            if kv.key not in self._before:
                self._values[kv.key] = self._before[kv.key] = kv.value


# --- what each kind does: key, change, result to fill ----------------------------------------------------------------


def _set(draft: _Draft, key: bytes, change: Change, _result: ChangeResult) -> None:
    draft.set_item(key, change.value)


def _add(draft: _Draft, key: bytes, change: Change, result: ChangeResult) -> None:
    held = _number(draft.get(key))
    if held is None or not -_LIMIT <= held + change.amount < _LIMIT:
        result.refused = True
        return
    result.number = held + change.amount
    draft.set(key, b"%d" % result.number)


def _number(text: bytes | None) -> int | None:
    """None: it is none."""
    if text is None:
        return 0
    digits = text[1:] if text[:1] == b"-" else text
    return int(text) if digits.isdigit() and len(digits) < 20 else None


def _compare_set(draft: _Draft, key: bytes, change: Change, result: ChangeResult) -> None:
    held = draft.get(key)
    if (held or b"") == change.expected and (held is not None or not change.expected):
        draft.set(key, change.value)
        result.value = change.value
    else:
        result.value = change.expected if held is None else held


def _append(draft: _Draft, key: bytes, change: Change, _result: ChangeResult) -> None:
    draft.set(key, (draft.get(key) or b"") + change.value)


def _delete(draft: _Draft, key: bytes, _change: Change, result: ChangeResult) -> None:
    if draft.get(key) is not None:
        draft.set(key, None)
        result.number = 1


def _push(draft: _Draft, key: bytes, change: Change, _result: ChangeResult) -> None:
    draft.push(key, change.value)


def _pop(draft: _Draft, key: bytes, _change: Change, result: ChangeResult) -> None:
    popped = draft.pop(key)
    if popped is not None:
        result.item, result.value = popped
        result.number = 1


_CHANGES: Mapping[int, Callable[[_Draft, bytes, Change, ChangeResult], None]] = {
    Change.SET: _set,
    Change.ADD: _add,
    Change.COMPARE_SET: _compare_set,
    Change.APPEND: _append,
    Change.DELETE: _delete,
    Change.PUSH: _push,
    Change.POP: _pop,
}
