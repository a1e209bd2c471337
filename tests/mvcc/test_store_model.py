"""The store beside the model: random requests, the same answers, at every revision that is kept."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from raftkv.errors import RequestError
from raftkv.mvcc import Store, finish, ranges, sight, steps
from raftkv.pb import rpc
from raftkv.storage.engine import Batch
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from tests.mvcc.making import delete, get, new_store, op, put, run
from tests.mvcc.model import Model, Refused

KEYS = st.sampled_from([b"a", b"a\0", b"a\0\0", b"a\xff", b"ab", b"b", b"b\xff\xff", b"c"])
ENDS = st.sampled_from([b"\0", b"d", b"c", b"", b"", b"a\0\0", b"b", b"b\xff", b"c", b"d"])
VALUES = st.sampled_from([b"", b"1", b"2", b"3"])
BACK = st.integers(-1, 12)
"""How many revisions ago; below zero: a revision that is not there yet."""

RANGES = st.fixed_dictionaries(
    {
        "limit": st.sampled_from([1, 2, 3, 0, -1]),
        "sort_order": st.sampled_from([2, 1, 0]),
        "sort_target": st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
        "count_only": st.sampled_from([False, False, False, True]),
    },
    optional={
        "keys_only": st.booleans(),
        "min_mod_revision": st.integers(1, 20),
        "max_mod_revision": st.integers(1, 20),
    },
)


def outcome(action: Callable[[], Any]) -> Any:
    """What it returns, or the last words of its refusal."""
    try:
        return action()
    except Refused as refusal:
        return str(refusal)
    except RequestError as error:
        return next(words for words in ("future revision", "compacted") if words in str(error))


def answer(response: rpc.RangeResponse) -> tuple[list[tuple[Any, ...]], int, bool]:
    rows = [(kv.key, kv.create_revision, kv.mod_revision, kv.version, kv.value) for kv in response.kvs]
    return rows, response.count, response.more


class StoreAndModel(RuleBasedStateMachine):
    @initialize(history=st.lists(st.tuples(KEYS, VALUES | st.none()), max_size=25))
    def begin(self, history: list[tuple[bytes, bytes | None]]) -> None:
        self.engine = MemoryEngine()
        self.state = Overlay(self.engine)
        self.store: Store = new_store(self.state)
        self.model = Model()
        self.scrub = self.store.scrub()
        for key, value in history:
            if value is None:
                self.delete(key, b"")
            else:
                self.put(key, value)

    @rule(key=KEYS, value=VALUES)
    def put(self, key: bytes, value: bytes) -> None:
        self.model.revision += 1
        self.model.put(key, value, self.model.revision)
        assert run(self.store, put(key, value)).header.revision == self.model.revision

    @rule(key=KEYS, end=ENDS)
    def delete(self, key: bytes, end: bytes) -> None:
        deleted = self.model.delete(key, end, self.model.revision + 1)
        self.model.revision += deleted > 0
        response = run(self.store, delete(key, end))
        assert (response.deleted, response.header.revision) == (deleted, self.model.revision)

    @rule(key=KEYS, end=ENDS, back=BACK, options=RANGES)
    def range(self, key: bytes, end: bytes, back: int, options: dict[str, Any]) -> None:
        request = get(key, end, revision=self.model.revision - back, **options)
        assert outcome(lambda: answer(run(self.store, request))) == outcome(lambda: self.model.range(request))

    @rule(key=KEYS, end=ENDS, options=RANGES)
    def range_now(self, key: bytes, end: bytes, options: dict[str, Any]) -> None:
        request = get(key, end, **options)
        assert answer(run(self.store, request)) == self.model.range(request)

    @rule(
        compared=KEYS,
        version=st.integers(0, 2),
        branches=st.tuples(*[st.lists(st.tuples(st.sampled_from("prd"), KEYS, ENDS, VALUES), max_size=4)] * 2),
    )
    def txn(self, compared: bytes, version: int, branches: tuple[list[Any], list[Any]]) -> None:
        success, failure = ([_request(*operation) for operation in branch] for branch in branches)
        request = rpc.TxnRequest(
            compare=[rpc.Compare(key=compared, target=rpc.Compare.VERSION, version=version)],
            success=[op(each) for each in success],
            failure=[op(each) for each in failure],
        )
        before = self.model.at(compared, self.model.revision)
        taken = success if (before.version if before is not None else 0) == version else failure
        expected = self._execute(taken)
        response = run(self.store, request)
        assert response.succeeded == (taken is success)
        assert [_answer(each) for each in response.responses] == expected
        assert response.header.revision == self.model.revision

    def _execute(self, requests: list[Any]) -> list[Any]:
        """Does the operations to the model one after the other."""
        answers: list[Any] = []
        revision, changed = self.model.revision + 1, False
        for request in requests:
            match request:
                case rpc.PutRequest():
                    self.model.put(request.key, request.value, revision)
                    changed = True
                    answers.append(revision)
                case rpc.DeleteRangeRequest():
                    deleted = self.model.delete(request.key, request.range_end, revision)
                    changed = changed or deleted > 0
                    answers.append(deleted)
                case _:
                    answers.append(self.model.range(request, revision if changed else revision - 1))
        self.model.revision += changed
        return answers

    @rule(back=BACK)
    def compact(self, back: int) -> None:
        revision = self.model.revision - back
        refused = outcome(lambda: self.model.compact(revision))
        assert outcome(lambda: run(self.store, rpc.CompactionRequest(revision=revision)) and None) == refused

    @rule()
    def scrub_a_little(self) -> None:
        if next(self.scrub, "done") == "done":
            self.scrub = self.store.scrub()

    @rule(written=st.booleans())
    def restart(self, *, written: bool) -> None:
        """With all rows, in the engine or still on their way there."""
        self.store.record()
        if written:
            self.engine.write(Batch(rows=self.state.seal()), sync=True)
            self.state.written()
        size = self.store.size_in_use
        self.store = new_store(self.state)
        assert self.store.size_in_use == size
        self.scrub = self.store.scrub()

    @rule(back=BACK)
    def read_changes(self, back: int) -> None:
        first = self.model.revision - back
        if first < self.model.compacted:
            return
        seen = [
            (event.revision, event.key, None if event.encoded is None else event.kv.value)
            for batch in self.store.changes(first, self.model.revision)
            for event in batch
        ]
        # Within a revision the model does not know the order of changes.
        assert sorted(seen, key=lambda change: change[:2]) == self.model.changes(first, self.model.revision)

    @invariant()
    def counters_agree(self) -> None:
        live = self.model.selected(b"\0", b"\0", self.model.revision)
        assert (self.store.revision, self.store.compact_revision) == (self.model.revision, self.model.compacted)
        assert self.store.key_count == len(live)

    def teardown(self) -> None:
        """At the end every kept revision reads right, with all rows removed that may be."""
        if not hasattr(self, "store"):
            return
        finish(self.store.scrub())
        for revision in range(max(1, self.model.compacted), self.model.revision + 1):
            request = get(b"\0", b"\0", revision=revision)
            assert answer(run(self.store, request)) == self.model.range(request)


def _request(kind: str, key: bytes, end: bytes, value: bytes) -> Any:
    match kind:
        case "p":
            return put(key, value)
        case "d":
            return delete(key, end)
        case _:
            return get(key, end, limit=2)


def _answer(response: rpc.ResponseOp) -> Any:
    match response.WhichOneof("response"):
        case "response_put":
            return response.response_put.header.revision
        case "response_delete_range":
            return response.response_delete_range.deleted
        case _:
            return answer(response.response_range)


@pytest.fixture(autouse=True, params=[500, 2], ids=["whole slices", "tiny slices"])
def slice_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "SLICE_ROWS", request.param)
    monkeypatch.setattr(sight, "FIRST_BATCH", min(16, request.param))
    monkeypatch.setattr(ranges, "POINT_READS", min(4, request.param // 2))
    monkeypatch.setattr(steps, "SLICE_ROWS", request.param)


def test_store_answers_as_the_model() -> None:
    run_state_machine_as_test(
        StoreAndModel,
        settings=settings(max_examples=250, stateful_step_count=40, deadline=None, derandomize=True),
    )
