"""The oldest and the youngest key of a range from a kept order, beside a store that sorts each time."""

from random import Random
from typing import Any

import pytest

from raftkv.mvcc import Store, creation, ranges
from raftkv.mvcc.creation import CreationOrder, CreationOrders
from raftkv.pb import rpc
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from tests.mvcc.making import delete, get, new_store, op, put, run

CREATE = rpc.RangeRequest.CREATE
ASCEND, DESCEND = rpc.RangeRequest.ASCEND, rpc.RangeRequest.DESCEND


def store() -> Store:
    return new_store(Overlay(MemoryEngine()))


def sorting_store() -> Store:
    """One that keeps no order."""
    made = store()
    made._index.by_creation = None
    return made


def oldest(key: bytes, end: bytes, **options: Any) -> rpc.RangeRequest:
    return get(key, end, limit=1, sort_order=ASCEND, sort_target=CREATE, **options)


def youngest(key: bytes, end: bytes, **options: Any) -> rpc.RangeRequest:
    return get(key, end, limit=1, sort_order=DESCEND, sort_target=CREATE, **options)


class Requests:
    """Whatever may be asked of few keys."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def key(self) -> bytes:
        return b"%c%d" % (self.dice.choice(b"abc"), self.dice.randrange(8))

    def range(self) -> rpc.RangeRequest:
        dice = self.dice
        key, end = dice.choice([(b"a", b"b"), (b"b", b"c"), (b"a", b"\0"), (b"a3", b"b5"), (b"x", b"y")])
        options = {
            name: dice.choice([dice.randrange(60), -1]) if dice.random() < 0.2 else 0
            for name in ("min_create_revision", "max_create_revision", "min_mod_revision", "max_mod_revision")
        }
        return get(
            key,
            end,
            limit=dice.choice([1, 1, 1, 2, 0]),
            sort_order=dice.choice([ASCEND, DESCEND, rpc.RangeRequest.NONE]),
            sort_target=dice.choice([CREATE, CREATE, CREATE, rpc.RangeRequest.MOD]),
            keys_only=dice.random() < 0.2,
            **options,
        )

    def change(self) -> Any:
        if self.dice.random() < 0.6:
            return put(self.key(), b"%d" % self.dice.randrange(100))
        end = self.dice.choice([b"", b"", b"c"])
        return delete(self.key(), end)

    def any(self) -> Any:
        kind = self.dice.randrange(4)
        if kind == 0:
            return self.change()
        if kind == 1:
            return self.range()
        written: set[bytes] = set()
        operations = []
        for _ in range(self.dice.randrange(1, 6)):
            request = self.change() if self.dice.random() < 0.5 else self.range()
            if isinstance(request, rpc.PutRequest):
                if request.key in written:
                    continue
                written.add(request.key)
            operations.append(op(request))
        return rpc.TxnRequest(success=operations)


@pytest.mark.parametrize("seed", range(20))
def test_kept_order_answers_as_sorting_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MIN_KEYS", 1)
    monkeypatch.setattr(ranges, "MAX_STAGED", 3)
    monkeypatch.setattr(creation, "MAX_RANGES", 3)
    monkeypatch.setattr(creation, "MAX_KEYS", 12)
    requests, ordered, plain = Requests(seed), store(), sorting_store()
    for _ in range(300):
        request = requests.any()
        assert run(ordered, request) == run(plain, request), request
    assert ordered._index.by_creation


@pytest.mark.interpreted
def test_crowd_is_read_once_however_often_it_is_asked_for_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = store()
    for number in range(100):
        run(waiting, put(b"lock/%d" % (number * 7919 % 100), b""))
    first = run(waiting, oldest(b"lock/", b"lock0"))
    assert [kv.key for kv in first.kvs] == [b"lock/0"]
    monkeypatch.setattr(waiting._state, "scan", None)  # whoever scans fails
    assert run(waiting, oldest(b"lock/", b"lock0")) == first
    enter = rpc.TxnRequest(success=[op(put(b"lock/me", b"")), op(oldest(b"lock/", b"lock0"))])
    assert run(waiting, enter).responses[1].response_range.kvs[0].key == b"lock/0"
    before_me = run(waiting, youngest(b"lock/", b"lock0", max_create_revision=waiting.revision - 1))
    assert (before_me.kvs[0].create_revision, before_me.count, before_me.more) == (101, 101, True)
    run(waiting, delete(b"lock/0"))
    assert run(waiting, oldest(b"lock/", b"lock0")).kvs[0].create_revision == 3


def test_nothing_is_kept_of_ranges_with_few_keys() -> None:
    made = store()
    for number in range(creation.MIN_KEYS - 1):
        run(made, put(b"%02d" % number, b""))
    run(made, oldest(b"0", b"9"))
    assert not made._index.by_creation


def test_kept_orders_are_bounded() -> None:
    orders = CreationOrders()
    for number in range(creation.MAX_RANGES + 5):
        orders.keep(CreationOrder(b"%d" % number, None))
    assert len(orders) == creation.MAX_RANGES
    for number in range(creation.MAX_KEYS + 1):
        orders.note(b"x%d" % number, number + 2)
    assert not orders


def test_keys_that_were_created_together_stand_by_key() -> None:
    order = CreationOrder(b"", None)
    for key in (b"c", b"a", b"b"):
        order.note(key, 5)
    order.note(b"z", 4)
    assert order.oldest(5, 9, ()) == (5, b"a")
    assert order.youngest(0, 9, {b"a"}) == (5, b"b")
    order.note(b"a", 0)
    order.note(b"b", 7)
    assert order.youngest(0, 9, ()) == (7, b"b")
    assert order.oldest(5, 9, ()) == (5, b"c")
    assert order.count(5, 6) == 1
