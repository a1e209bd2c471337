"""The overlay: written rows are readable at once, wherever they are on their way to the disk."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raftkv.storage.engine import Batch, Engine, Reader, Rows, Table
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import MAX_REMEMBERED_ROWS, RECENT_BYTES, Overlay, OverlayView


def store(engine: Engine, rows: dict[Table, Rows]) -> None:
    engine.write(Batch(rows), sync=False)


def live(reader: Reader) -> dict[bytes, bytes]:
    return dict(reader.scan(Table.LIVE))


def test_row_is_readable_at_every_step_to_the_disk(engine: Engine) -> None:
    overlay = Overlay(engine)
    overlay.put(Table.LIVE, b"k", b"v")
    assert overlay.get(Table.LIVE, b"k") == b"v"
    sealed = overlay.seal()
    assert sealed == {Table.LIVE: {b"k": b"v"}}
    assert overlay.get(Table.LIVE, b"k") == b"v"
    store(engine, sealed)
    assert live(overlay) == {b"k": b"v"}
    overlay.written()
    assert live(overlay) == {b"k": b"v"}
    assert overlay.get(Table.LIVE, b"k") == b"v"


def test_delete_hides_the_row_below(engine: Engine) -> None:
    store(engine, {Table.LIVE: {b"a": b"1", b"b": b"1"}})
    overlay = Overlay(engine)
    overlay.delete(Table.LIVE, b"a")
    assert overlay.get(Table.LIVE, b"a") is None
    assert live(overlay) == {b"b": b"1"}
    store(engine, overlay.seal())
    overlay.written()
    assert live(overlay) == live(engine) == {b"b": b"1"}


def test_newest_layer_wins(engine: Engine) -> None:
    overlay = Overlay(engine)
    for value in (b"1", b"2", b"3"):
        overlay.merge({Table.LIVE: {b"k": value, value: b""}})
        overlay.seal()
    overlay.delete(Table.LIVE, b"2")
    assert live(overlay) == {b"k": b"3", b"1": b"", b"3": b""}


def test_tables_do_not_mix(engine: Engine) -> None:
    overlay = Overlay(engine)
    overlay.put(Table.LIVE, b"k", b"v")
    assert overlay.get(Table.HISTORY, b"k") is None
    assert list(overlay.scan(Table.HISTORY)) == []


def test_pending_counts_what_is_not_on_disk(engine: Engine) -> None:
    overlay = Overlay(engine)
    assert (overlay.pending_rows, overlay.pending_bytes) == (0, 0)
    overlay.put(Table.LIVE, b"k", b"12345")
    overlay.seal()
    overlay.merge({Table.STATE: {b"ab": b"c", b"d": None}})
    overlay.delete(Table.LIVE, b"k")
    assert (overlay.pending_rows, overlay.pending_bytes) == (4, 6 + 4 + 1)
    overlay.written()
    assert (overlay.pending_rows, overlay.pending_bytes) == (3, 5)


def test_seal_of_nothing_still_pairs_with_written(engine: Engine) -> None:
    overlay = Overlay(engine)
    assert overlay.seal() == {}
    overlay.put(Table.LIVE, b"k", b"v")
    store(engine, overlay.seal())
    overlay.written()
    assert live(overlay) == {b"k": b"v"}
    overlay.written()
    assert live(overlay) == {b"k": b"v"}


def test_tables_added_to_what_was_sealed_stay_out_of_the_overlay(engine: Engine) -> None:
    overlay = Overlay(engine)
    overlay.put(Table.LIVE, b"k", b"v")
    batch = Batch(overlay.seal())
    batch.put(Table.META, b"m", b"v")
    assert overlay.get(Table.META, b"m") is None
    engine.write(batch, sync=True)
    overlay.written()
    assert overlay.get(Table.META, b"m") == b"v"


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_keeps_to_the_moment_of_its_call(engine: Engine, *, reverse: bool) -> None:
    overlay = Overlay(engine)
    rows = {b"%03d" % number: b"v" for number in range(300)}
    store(engine, {Table.LIVE: dict(list(rows.items())[::2])})
    overlay.merge({Table.LIVE: dict(list(rows.items())[1::2])})
    scan = overlay.scan(Table.LIVE, reverse=reverse)
    overlay.put(Table.LIVE, b"000", b"changed")
    overlay.put(Table.LIVE, b"150x", b"new")
    store(engine, overlay.seal())
    overlay.written()
    overlay.delete(Table.LIVE, b"299")
    assert dict(scan) == rows


def test_view_keeps_to_its_moment(engine: Engine) -> None:
    overlay = Overlay(engine)
    store(engine, {Table.LIVE: {b"disk": b"1"}})
    overlay.put(Table.LIVE, b"sealed", b"1")
    sealed = overlay.seal()
    overlay.put(Table.LIVE, b"pending", b"1")
    view = overlay.view()
    overlay.merge({Table.LIVE: {b"disk": b"2", b"sealed": b"2", b"pending": None, b"new": b"2"}})
    store(engine, sealed)
    overlay.written()
    store(engine, overlay.seal())
    overlay.written()
    assert live(view) == {b"disk": b"1", b"sealed": b"1", b"pending": b"1"}
    assert [view.get(Table.LIVE, key) for key in (b"disk", b"pending", b"new")] == [b"1", b"1", None]
    view.release()


def test_clear_leaves_the_engine_alone(engine: Engine) -> None:
    overlay = Overlay(engine)
    overlay.put(Table.LIVE, b"sealed", b"1")
    overlay.seal()
    overlay.put(Table.LIVE, b"pending", b"1")
    store(engine, {Table.LIVE: {b"disk": b"1"}})
    overlay.clear()
    assert live(overlay) == {b"disk": b"1"}
    assert overlay.pending_rows == overlay.pending_bytes == 0
    overlay.put(Table.LIVE, b"k", b"v")
    store(engine, overlay.seal())
    overlay.written()
    assert live(overlay) == {b"disk": b"1", b"k": b"v"}


class WritingReader:
    """A storage thread at the worst moment: a sealed layer reaches the engine just before the engine is read."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.before: Callable[[], None] = lambda: None

    def get(self, table: Table, key: bytes) -> bytes | None:
        self.before()
        return self.engine.get(table, key)

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self.before()
        return self.engine.scan(table, first, end, reverse=reverse)

    def view(self) -> object:
        self.before()
        return self.engine.view()


def test_row_written_between_layers_and_engine_is_seen() -> None:
    reader = WritingReader()
    overlay = Overlay(reader)
    overlay.put(Table.LIVE, b"k", b"v")
    sealed = overlay.seal()
    reader.before = lambda: store(reader.engine, sealed)
    assert live(overlay) == {b"k": b"v"}
    reader.engine = MemoryEngine()
    assert live(overlay.view()) == {b"k": b"v"}


def test_plain_reader_will_do_as_a_base() -> None:
    class Plain:
        def get(self, table: Table, key: bytes) -> bytes | None:
            return b"below"

        def scan(
            self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
        ) -> Iterator[tuple[bytes, bytes]]:
            return iter([(b"b", b"below")])

    overlay = Overlay(Plain())
    overlay.put(Table.LIVE, b"a", b"above")
    view = overlay.view()
    assert live(overlay) == live(view) == {b"a": b"above", b"b": b"below"}
    view.release()


KEYS = st.binary(max_size=2)
TABLES = st.sampled_from([Table.LIVE, Table.HISTORY])
VALUES = st.one_of(st.none(), st.binary(max_size=2))


class OverlayMachine(RuleBasedStateMachine):
    """Overlay and engine against a dict for each table. `durable` is what the last sync has; a crash falls back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = MemoryEngine()
        self.overlay = Overlay(self.engine)
        self.model: dict[Table, dict[bytes, bytes]] = {table: {} for table in Table}
        self.sealed: list[tuple[dict[Table, Rows], dict[Table, dict[bytes, bytes]]]] = []
        self.stored = self.copy()
        self.durable = self.copy()
        self.views: list[tuple[OverlayView, dict[Table, dict[bytes, bytes]]]] = []
        self.scans: list[tuple[Iterator[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]] = []

    def copy(self) -> dict[Table, dict[bytes, bytes]]:
        return {table: dict(rows) for table, rows in self.model.items()}

    def expected(self, table: Table, first: bytes, end: bytes | None, *, reverse: bool) -> list[tuple[bytes, bytes]]:
        rows = sorted(self.model[table].items(), reverse=reverse)
        return [row for row in rows if row[0] >= first and (end is None or row[0] < end)]

    @rule(table=TABLES, key=KEYS, value=VALUES)
    def change(self, table: Table, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.overlay.delete(table, key)
            self.model[table].pop(key, None)
        else:
            self.overlay.put(table, key, value)
            self.model[table][key] = value

    @rule(rows=st.dictionaries(TABLES, st.dictionaries(KEYS, VALUES, max_size=4), max_size=2))
    def merge(self, rows: dict[Table, Rows]) -> None:
        self.overlay.merge(rows)
        for table, changes in rows.items():
            for key, value in changes.items():
                if value is None:
                    self.model[table].pop(key, None)
                else:
                    self.model[table][key] = value

    @rule()
    def seal(self) -> None:
        self.sealed.append((self.overlay.seal(), self.copy()))

    @precondition(lambda self: self.sealed)
    @rule(sync=st.booleans())
    def store_oldest(self, *, sync: bool) -> None:
        rows, state = self.sealed.pop(0)
        self.engine.write(Batch(rows), sync=sync)
        self.read(Table.LIVE, b"", None, reverse=False)
        self.overlay.written()
        self.stored = state
        if sync:
            self.durable = state

    @rule(table=TABLES, first=KEYS, end=st.one_of(st.none(), KEYS), reverse=st.booleans())
    def read(self, table: Table, first: bytes, end: bytes | None, *, reverse: bool) -> None:
        assert list(self.overlay.scan(table, first, end, reverse=reverse)) == self.expected(table, first, end, reverse=reverse)
        assert self.overlay.get(table, first) == self.model[table].get(first)

    @rule(table=TABLES, first=KEYS, end=st.one_of(st.none(), KEYS), reverse=st.booleans())
    def start_scan(self, table: Table, first: bytes, end: bytes | None, *, reverse: bool) -> None:
        expected = self.expected(table, first, end, reverse=reverse)
        self.scans.append((self.overlay.scan(table, first, end, reverse=reverse), expected))

    @precondition(lambda self: self.scans)
    @rule()
    def finish_scan(self) -> None:
        scan, expected = self.scans.pop(0)
        assert list(scan) == expected

    @rule()
    def freeze(self) -> None:
        self.views.append((self.overlay.view(), self.copy()))

    @precondition(lambda self: self.views)
    @rule(table=TABLES, key=KEYS, reverse=st.booleans())
    def read_view(self, table: Table, key: bytes, *, reverse: bool) -> None:
        view, state = self.views.pop(0)
        assert list(view.scan(table, key, reverse=reverse)) == sorted(
            (row for row in state[table].items() if row[0] >= key), reverse=reverse
        )
        assert view.get(table, key) == state[table].get(key)
        view.release()

    def restart(self, engine: MemoryEngine, state: dict[Table, dict[bytes, bytes]]) -> None:
        self.engine = engine
        self.overlay = Overlay(engine)
        self.model = {table: dict(rows) for table, rows in state.items()}
        self.sealed, self.views, self.scans = [], [], []
        self.stored = self.copy()

    @rule()
    def kill(self) -> None:
        self.restart(self.engine.reopen(), self.stored)

    @rule()
    def lose_power(self) -> None:
        self.restart(self.engine.crash(), self.durable)
        self.durable = self.copy()

    @invariant()
    def nothing_pending_means_nothing_counted(self) -> None:
        if not self.sealed and not any(self.overlay._pending.values()):
            assert self.overlay.pending_rows == self.overlay.pending_bytes == 0


OverlayMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestOverlayMachine = OverlayMachine.TestCase


def test_many_layers_give_the_same_rows_as_a_dict(engine: Engine) -> None:
    chance = random.Random(11)
    overlay, model = Overlay(engine), dict[bytes, bytes]()
    waiting: list[dict[Table, Rows]] = []
    for step in range(2000):
        key = b"%03d" % chance.randrange(400)
        if chance.random() < 0.3:
            overlay.delete(Table.LIVE, key)
            model.pop(key, None)
        else:
            overlay.put(Table.LIVE, key, b"%d" % step)
            model[key] = b"%d" % step
        if chance.random() < 0.1:
            waiting.append(overlay.seal())
        if waiting and chance.random() < 0.1:
            store(engine, waiting.pop(0))
            overlay.written()
        if step % 50 == 0:
            assert list(overlay.scan(Table.LIVE)) == sorted(model.items())
            assert list(overlay.scan(Table.LIVE, b"100", b"200", reverse=True)) == [
                row for row in sorted(model.items(), reverse=True) if b"100" <= row[0] < b"200"
            ]


class Counting:
    """A reader that counts what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[bytes] = []

    def get(self, table: Table, key: bytes) -> bytes | None:
        self.asked.append(key)
        return self._engine.get(table, key)

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        return self._engine.scan(table, first, end, reverse=reverse)


def test_rows_written_or_read_of_late_are_not_read_again() -> None:
    engine = MemoryEngine()
    store(engine, {Table.LIVE: {b"old": b"1"}})
    base = Counting(engine)
    overlay = Overlay(base)
    overlay.put(Table.LIVE, b"new", b"2")
    store(engine, overlay.seal())
    overlay.written()
    assert [overlay.get(Table.LIVE, key) for key in (b"new", b"old", b"old", b"none", b"none")] == [
        b"2",
        b"1",
        b"1",
        None,
        None,
    ]
    assert base.asked == [b"old", b"none"]
    overlay.delete(Table.LIVE, b"old")
    overlay.put(Table.LIVE, b"none", b"3")
    store(engine, overlay.seal())
    overlay.written()
    assert [overlay.get(Table.LIVE, key) for key in (b"old", b"none")] == [None, b"3"]
    assert base.asked == [b"old", b"none"]


def test_after_a_batch_of_very_many_rows_nothing_stale_is_read() -> None:
    engine = MemoryEngine()
    overlay = Overlay(engine)
    overlay.put(Table.LIVE, b"key", b"before")
    store(engine, overlay.seal())
    overlay.written()
    many: Rows = {b"%d" % number: b"" for number in range(MAX_REMEMBERED_ROWS)}
    overlay.merge({Table.LIVE: many | {b"key": b"after"}})
    store(engine, overlay.seal())
    overlay.written()
    assert overlay.get(Table.LIVE, b"key") == b"after"


def test_rows_in_memory_are_bounded() -> None:
    engine = MemoryEngine()
    base = Counting(engine)
    overlay = Overlay(base)
    value = bytes(RECENT_BYTES // 4)
    for number in range(16):
        overlay.put(Table.LIVE, b"%d" % number, value)
        store(engine, overlay.seal())
        overlay.written()
    assert overlay.get(Table.LIVE, b"15") == value
    assert overlay.get(Table.LIVE, b"0") == value
    assert base.asked == [b"0"]
