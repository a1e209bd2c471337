"""Updates against the plainest thing that does the same: dicts and lists."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.apply.updates import Updates
from raftkv.errors import LeaseNotFoundError
from raftkv.mvcc import Store, finish
from raftkv.pb.rpc import RangeRequest
from raftkv.pb.update import Change, UpdateRequest, UpdateResponse
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay

PREFIX = b"/job/"


class Target:
    """A store, and what updates do to it."""

    def __init__(self) -> None:
        self.store = Store(Overlay(MemoryEngine()), lambda lease: lease == 7)
        self._updates = Updates(self.store)

    def apply(self, *changes: Change, lease: int = 0) -> UpdateResponse:
        response, self.events = finish(self._updates.apply(UpdateRequest(prefix=PREFIX, lease=lease, changes=changes)))
        return response

    def held(self) -> dict[bytes, bytes]:
        found = finish(self.store.range(RangeRequest(key=PREFIX, range_end=b"/job0"))).kvs
        return {kv.key.removeprefix(PREFIX): kv.value for kv in found}


class Plain:
    """The same with Python's own."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.queues: dict[bytes, deque[bytes]] = {}

    def apply(self, change: Change) -> tuple[bytes, int]:  # noqa: PLR0911  # one for each kind
        key, value, values = change.key, change.value, self.values
        match change.kind:
            case Change.SET:
                values[key] = value
            case Change.ADD:
                number = int(values.get(key, b"0")) + change.amount
                values[key] = str(number).encode()
                return b"", number
            case Change.COMPARE_SET if key in values:
                values[key] = value if values[key] == change.expected else values[key]
                return values[key], 0
            case Change.COMPARE_SET:
                if change.expected:
                    return change.expected, 0
                values[key] = value
                return value, 0
            case Change.APPEND:
                values[key] = values.get(key, b"") + value
            case Change.DELETE:
                return b"", int(values.pop(key, None) is not None)
            case Change.PUSH:
                self.queues.setdefault(key, deque()).append(value)
            case Change.POP if self.queues.get(key):
                return self.queues[key].popleft(), 1
        return b"", 0


def change(kind: Any, key: bytes = b"a", value: bytes = b"", **fields: Any) -> Change:
    return Change(kind=kind, key=key, value=value, **fields)


DIGITS = st.sampled_from([b"", b"0", b"1", b"12"])
NUMBERS = st.builds(change, st.sampled_from([Change.ADD, Change.DELETE]), st.just(b"number"), amount=st.integers(-3, 3))
OTHERS = st.builds(
    change,
    st.sampled_from([Change.SET, Change.COMPARE_SET, Change.APPEND, Change.DELETE, Change.PUSH, Change.POP]),
    st.sampled_from([b"a", b"b"]),
    DIGITS,
    expected=DIGITS,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(OTHERS | NUMBERS, max_size=12), max_size=5))
def test_updates_do_what_dicts_and_lists_do(requests: list[list[Change]]) -> None:
    target, plain = Target(), Plain()
    for changes in requests:
        before = target.store.revision
        results = target.apply(*changes).results
        assert [(result.value, result.number) for result in results] == [plain.apply(each) for each in changes]
        assert target.store.revision == before + bool(target.events)
        assert len({event.key for event in target.events}) == len(target.events), "each key changes once in a revision"
        held = target.held()
        assert {key: value for key, value in held.items() if b" " not in key} == plain.values
        for name, queue in plain.queues.items():
            assert [value for key, value in held.items() if key.startswith(name + b" ")] == list(queue)


def test_add_to_what_is_no_number_is_refused_and_nothing_else() -> None:
    target = Target()
    add = change(Change.ADD, amount=1)
    response = target.apply(change(Change.SET, value=b"many"), add, change(Change.SET, b"b"))
    assert [result.refused for result in response.results] == [False, True, False]
    assert target.held() == {b"a": b"many", b"b": b""}


@pytest.mark.parametrize(("held", "amount"), [(2**63 - 1, 1), (-(2**63), -1)])
def test_sum_of_more_than_64_bits_is_refused(held: int, amount: int) -> None:
    target = Target()
    target.apply(change(Change.SET, value=b"%d" % held))
    assert target.apply(change(Change.ADD, amount=amount)).results[0].refused
    assert target.apply(change(Change.ADD, amount=0)).results[0].number == held


def test_popped_item_that_is_set_again_under_its_key_is_at_the_front() -> None:
    target = Target()
    target.apply(change(Change.PUSH, value=b"1"), change(Change.PUSH, value=b"2"))
    popped = target.apply(change(Change.POP)).results[0]
    again = change(Change.SET, popped.item.removeprefix(PREFIX), popped.value)
    results = target.apply(change(Change.PUSH, value=b"3"), again, *[change(Change.POP)] * 4).results
    assert [result.value for result in results] == [b"", b"", b"1", b"2", b"3", b""]


def test_keys_hang_on_the_lease() -> None:
    target = Target()
    target.apply(change(Change.SET), change(Change.PUSH), lease=7)
    found = finish(target.store.range(RangeRequest(key=PREFIX, range_end=b"/job0"))).kvs
    assert [kv.lease for kv in found] == [7, 7]
    with pytest.raises(LeaseNotFoundError):
        target.apply(change(Change.SET), lease=8)


def test_thousand_changes_are_one_revision() -> None:
    target = Target()
    response = target.apply(*(change(Change.SET, b"%d" % number) for number in range(1000)))
    assert response.header.revision == target.store.revision == 2
    assert len(target.events) == 1000
