from collections.abc import Generator
from typing import Any

import pytest

from raftkv.mvcc import Steps, Store, Written, finish
from raftkv.pb.rpc import CompactionRequest, RangeRequest, RangeResponse
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from tests.mvcc.making import compact, delete, get, keys, new_store, put, run, txn, values

COUNT = 3000


class WatchedEngine(MemoryEngine):
    """Knows how many views were taken and not released."""

    open_views = 0

    def view(self) -> Any:
        view = super().view()
        self.open_views += 1
        release = view.release

        def released() -> None:
            self.open_views -= 1
            release()

        view.release = released  # type: ignore[method-assign]  # a spy
        return view


@pytest.fixture
def engine() -> WatchedEngine:
    return WatchedEngine()


@pytest.fixture
def store(engine: WatchedEngine) -> Store:
    store = new_store(Overlay(engine))
    for number in range(COUNT):
        run(store, put(b"%05d" % number, b"old"))
    return store


def disturb(store: Store) -> None:
    """Everything that may happen between two slices."""
    run(store, put(b"%05d" % (COUNT // 2), b"new"))
    run(store, put(b"00000x", b"new"))
    run(store, put(b"99999", b"new"))
    run(store, delete(b"02000", b"02500"))
    compact(store, store.revision)


READS = [
    pytest.param(get(b"\0", b"\0"), id="all"),
    pytest.param(get(b"\0", b"\0", sort_order=RangeRequest.DESCEND), id="descending"),
    pytest.param(get(b"\0", b"\0", limit=2900), id="limit"),
    pytest.param(get(b"\0", b"\0", limit=100, min_mod_revision=2000), id="filter"),
    pytest.param(get(b"\0", b"\0", limit=2900, sort_target=RangeRequest.MOD), id="sorted after the limit"),
    pytest.param(get(b"\0", b"\0", limit=100, sort_target=RangeRequest.MOD, sort_order=RangeRequest.DESCEND), id="sorted"),
    pytest.param(get(b"\0", b"\0", revision=COUNT), id="old"),
    pytest.param(get(b"\0", b"\0", revision=COUNT, sort_order=RangeRequest.DESCEND, limit=2500), id="old descending"),
    pytest.param(get(b"\0", b"\0", revision=COUNT // 2, limit=10), id="old with limit"),
    pytest.param(get(b"\0", b"\0", revision=2, count_only=True), id="old count"),
    pytest.param(get(b"02000", b"\0", revision=2, count_only=True), id="old count of few"),
]


@pytest.mark.parametrize("request_", READS)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_sliced_read_sees_one_moment(store: Store, engine: WatchedEngine, request_: RangeRequest, after: int) -> None:
    expected = finish(store.range(request_))
    steps = store.range(request_)
    assert isinstance(steps, Generator)
    assert _disturbed(store, steps, after) == expected
    assert engine.open_views == 0


def _disturbed(store: Store, steps: Steps[RangeResponse], after: int) -> RangeResponse:
    """The answer, when the store is disturbed after so many slices."""
    for _ in range(after):
        try:
            next(steps)
        except StopIteration as done:
            answer: RangeResponse = done.value
            return answer
    disturb(store)
    return finish(steps)


def test_sliced_read_only_txn_sees_one_moment(store: Store, engine: WatchedEngine) -> None:
    request = txn(get(b"\0", b"\0"), get(b"\0", b"\0", count_only=True), get(b"01500"), get(b"\0", b"\0", limit=3))
    expected = finish(store.read_txn(request))
    steps = store.read_txn(request)
    assert isinstance(steps, Generator)
    disturb(store)
    assert finish(steps) == expected
    assert engine.open_views == 0


def test_abandoned_read_releases_its_view(store: Store, engine: WatchedEngine) -> None:
    steps = store.range(get(b"\0", b"\0"))
    assert isinstance(steps, Generator)
    assert engine.open_views == 1
    steps.close()
    assert engine.open_views == 0


def test_abandoned_changes_release_their_view(store: Store, engine: WatchedEngine) -> None:
    changes = store.changes(2, COUNT)
    assert engine.open_views == 1
    changes.close()
    assert engine.open_views == 0


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get(b"01000"), id="key"),
        pytest.param(get(b"\0", b"\0", limit=100), id="limit"),
        pytest.param(get(b"\0", b"\0", limit=100, sort_order=RangeRequest.DESCEND), id="last ones"),
        pytest.param(get(b"\0", b"\0", count_only=True), id="count"),
        pytest.param(get(b"00100", b"00300"), id="small range"),
        pytest.param(get(b"\0", b"\0", revision=COUNT, limit=100), id="recent past"),
    ],
)
def test_small_read_is_answered_at_once_without_a_view(store: Store, engine: WatchedEngine, request_: RangeRequest) -> None:
    response = store.range(request_)
    assert not isinstance(response, Generator)
    assert engine.open_views == 0


def test_sliced_delete_is_seen_whole_or_not_at_all(store: Store, engine: WatchedEngine) -> None:
    steps = store.delete_range(delete(b"\0", b"\0", prev_kv=True))
    assert isinstance(steps, Generator)
    pauses = 0
    while True:
        response = finish(store.range(get(b"\0", b"\0")))
        assert (response.count, len(response.kvs), store.revision) == (COUNT, COUNT, COUNT + 1)
        try:
            next(steps)
        except StopIteration as done:
            written: Written = done.value
            break
        pauses += 1
    assert pauses > 3
    assert len(written.events) == COUNT
    assert run(store, get(b"\0", b"\0")).count == 0
    assert store.revision == COUNT + 2
    assert engine.open_views == 0


def test_scrub_may_run_between_the_slices_of_a_write(store: Store) -> None:
    run(store, put(b"00000", b"new"))
    run(store, CompactionRequest(revision=store.revision))
    steps = store.txn(txn(get(b"\0", b"\0"), put(b"x", b"y"), delete(b"00000", b"00010"), get(b"\0", b"\0")))
    assert isinstance(steps, Generator)
    next(steps)
    finish(store.scrub())
    finish(steps)
    assert run(store, get(b"\0", b"\0", count_only=True)).count == COUNT + 1 - 10


def test_slices_are_bounded_in_bytes_too() -> None:
    store = new_store()
    for number in range(64):
        run(store, put(b"%05d" % number, b"x" * 1_000_000))
    steps = store.range(get(b"\0", b"\0"))
    assert isinstance(steps, Generator)
    assert len(list(steps)) > 16


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 16, 17, 100, 600])
def test_limit_from_either_end(store: Store, limit: int) -> None:
    expected = [b"%05d" % number for number in range(COUNT)]
    first = run(store, get(b"\0", b"\0", limit=limit))
    assert (keys(first), first.more, first.count) == (expected[:limit], True, COUNT)
    last = run(store, get(b"\0", b"\0", limit=limit, sort_order=RangeRequest.DESCEND))
    assert (keys(last), last.more, last.count) == (expected[: -limit - 1 : -1], True, COUNT)


def test_values_and_keys_of_a_large_store_are_right(store: Store) -> None:
    response = run(store, get(b"00100", b"02000"))
    assert keys(response) == [b"%05d" % number for number in range(100, 2000)]
    assert set(values(response).values()) == {b"old"}


def test_store_loads_in_slices(store: Store) -> None:
    store.record()
    again = Store(store._state)
    assert len(list(again.load())) >= COUNT // 1000
    assert (again.key_count, again.revision) == (COUNT, COUNT + 1)


def test_a_long_answer_can_be_had_in_encoded_pieces(store: Store) -> None:
    request = get(b"\0", b"\0")
    whole = finish(store.range(request))
    pieces: list[bytes] = []
    rest = finish(store.range(request, pieces))
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 200_000
    assert RangeResponse.FromString(b"".join(pieces) + rest.SerializeToString()) == whole


def test_a_short_answer_has_no_pieces(store: Store) -> None:
    pieces: list[bytes] = []
    response = store.range(get(b"\0", b"\0", limit=3), pieces)
    assert isinstance(response, RangeResponse)
    assert pieces == []


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31, 2**63 - 1])
def test_a_limit_beyond_all_answers_is_none(store: Store, limit: int) -> None:
    request = get(b"\xff\xff", b"\0", limit=limit)
    assert finish(store.range(request)) == finish(store.range(get(b"\xff\xff", b"\0")))
    everything = finish(store.range(get(b"\0", b"\0", limit=limit)))
    assert (len(everything.kvs), everything.more) == (everything.count, False)
