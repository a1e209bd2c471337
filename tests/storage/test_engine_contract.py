"""What every engine promises: the same tests over the one on disk and the one in memory."""

from collections.abc import Callable

import pytest

from raftkv.errors import StorageError
from raftkv.storage.engine import Batch, Engine, Reader, Table

Reopen = Callable[[Engine], Engine]


def write(engine: Engine, *rows: tuple[Table, bytes, bytes], sync: bool = False) -> None:
    batch = Batch()
    for table, key, value in rows:
        batch.put(table, key, value)
    engine.write(batch, sync=sync)


def fill(engine: Engine, count: int, table: Table = Table.LIVE) -> list[tuple[bytes, bytes]]:
    rows = [(b"k%06d" % number, b"v%d" % number) for number in range(count)]
    write(engine, *((table, key, value) for key, value in rows))
    return rows


def live(reader: Reader, first: bytes = b"", end: bytes | None = None) -> dict[bytes, bytes]:
    return dict(reader.scan(Table.LIVE, first, end))


def test_new_engine_is_empty_in_every_table(engine: Engine) -> None:
    assert all(list(engine.scan(table)) == [] for table in Table)


def test_row_is_read_from_its_own_table_only(engine: Engine) -> None:
    write(engine, (Table.LIVE, b"k", b"v"))
    assert engine.get(Table.LIVE, b"k") == b"v"
    assert engine.get(Table.HISTORY, b"k") is None


def test_empty_key_and_empty_value_are_rows(engine: Engine) -> None:
    write(engine, (Table.LIVE, b"", b""))
    assert engine.get(Table.LIVE, b"") == b""
    assert list(engine.scan(Table.LIVE)) == [(b"", b"")]


def test_keys_are_ordered_as_unsigned_bytes(engine: Engine) -> None:
    keys = [b"\xff", b"", b"\x00", b"\x7f", b"\x80", b"a", b"a\x00", b"b"]
    write(engine, *((Table.LIVE, key, b"") for key in keys))
    assert [key for key, _ in engine.scan(Table.LIVE)] == sorted(keys)


def test_later_change_in_a_batch_wins(engine: Engine) -> None:
    batch = Batch()
    batch.put(Table.LIVE, b"k", b"v")
    batch.delete(Table.LIVE, b"k")
    batch.delete(Table.LIVE, b"other")
    batch.put(Table.LIVE, b"other", b"v")
    engine.write(batch, sync=False)
    assert live(engine) == {b"other": b"v"}


def test_truncation_comes_before_the_rows_of_its_batch(engine: Engine) -> None:
    fill(engine, 4)
    batch = Batch()
    batch.put(Table.LIVE, b"k000001", b"new")
    batch.truncate(Table.LIVE, b"k000001", b"k000003")
    engine.write(batch, sync=False)
    assert live(engine) == {b"k000000": b"v0", b"k000001": b"new", b"k000003": b"v3"}


def test_empty_truncation_removes_nothing(engine: Engine) -> None:
    rows = fill(engine, 2)
    batch = Batch()
    batch.truncate(Table.LIVE, b"k000000", b"k000000")
    engine.write(batch, sync=False)
    assert live(engine) == dict(rows)


def test_empty_batch_can_be_written(engine: Engine) -> None:
    assert Batch().empty()
    engine.write(Batch(), sync=True)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("first", "end"),
    [
        (b"", None),
        (b"k000003", None),
        (b"k000003", b"k000190"),
        (b"k000003x", b"k000190x"),
        (b"", b"k000000"),
        (b"k000005", b"k000005"),
        (b"k000007", b"k000005"),
        (b"z", None),
        (b"", b"\xff"),
    ],
)
def test_scan_gives_the_half_open_range_in_order(engine: Engine, first: bytes, end: bytes | None, *, reverse: bool) -> None:
    rows = fill(engine, 200)
    expected = [row for row in rows if row[0] >= first and (end is None or row[0] < end)]
    if reverse:
        expected.reverse()
    view = engine.view()
    assert list(engine.scan(Table.LIVE, first, end, reverse=reverse)) == expected
    assert list(view.scan(Table.LIVE, first, end, reverse=reverse)) == expected
    view.release()


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_sees_nothing_written_after_its_call(engine: Engine, *, reverse: bool) -> None:
    rows = fill(engine, 300)
    scan = engine.scan(Table.LIVE, reverse=reverse)
    batch = Batch()
    batch.truncate(Table.LIVE, b"k000100", b"k000200")
    batch.put(Table.LIVE, b"k000050x", b"new")
    batch.put(Table.LIVE, b"k000250", b"changed")
    engine.write(batch, sync=False)
    assert list(scan) == (rows[::-1] if reverse else rows)


def test_view_is_frozen_for_reads_and_scans(engine: Engine) -> None:
    rows = fill(engine, 300)
    view = engine.view()
    write(engine, (Table.LIVE, b"k000000", b"changed"), (Table.LIVE, b"new", b"v"))
    batch = Batch()
    batch.truncate(Table.LIVE, b"k000200", b"k000300")
    engine.write(batch, sync=True)
    assert view.get(Table.LIVE, b"k000000") == b"v0"
    assert view.get(Table.LIVE, b"k000299") == b"v299"
    assert view.get(Table.LIVE, b"new") is None
    assert list(view.scan(Table.LIVE)) == rows
    assert list(view.scan(Table.LIVE, reverse=True)) == rows[::-1]
    view.release()


def test_views_of_different_moments_stand_side_by_side(engine: Engine) -> None:
    views = []
    for number in range(3):
        write(engine, (Table.LIVE, b"k", b"%d" % number), (Table.LIVE, b"only%d" % number, b""))
        views.append(engine.view())
    assert [view.get(Table.LIVE, b"k") for view in views] == [b"0", b"1", b"2"]
    assert [len(live(view)) for view in views] == [2, 3, 4]
    for view in views:
        view.release()


def test_scans_of_one_view_may_interleave(engine: Engine) -> None:
    rows = fill(engine, 200)
    view = engine.view()
    upward, downward, again = view.scan(Table.LIVE), view.scan(Table.LIVE, reverse=True), view.scan(Table.LIVE, b"k000100")
    triples = list(zip(upward, downward, again, strict=False))
    assert [triple[0] for triple in triples] == rows[: len(triples)]
    assert [triple[1] for triple in triples] == rows[::-1][: len(triples)]
    assert [triple[2] for triple in triples] == rows[100:]
    view.release()


def test_released_view_reads_no_more(engine: Engine) -> None:
    view = engine.view()
    view.release()
    view.release()
    with pytest.raises(StorageError):
        view.get(Table.LIVE, b"k")
    with pytest.raises(StorageError):
        list(view.scan(Table.LIVE))


def test_closed_engine_does_nothing_more(engine: Engine) -> None:
    write(engine, (Table.LIVE, b"k", b"v"))
    engine.close()
    engine.close()
    with pytest.raises(StorageError):
        engine.get(Table.LIVE, b"k")
    with pytest.raises(StorageError):
        list(engine.scan(Table.LIVE))
    with pytest.raises(StorageError):
        write(engine, (Table.LIVE, b"k", b"w"))
    with pytest.raises(StorageError):
        engine.view()
    with pytest.raises(StorageError):
        engine.stage()


def test_size_grows_with_the_data(engine: Engine) -> None:
    before = engine.size()
    write(engine, (Table.LIVE, b"k", bytes(100_000)), sync=True)
    assert engine.size() >= before + 100_000


def test_rows_survive_a_restart(engine: Engine, reopen: Reopen) -> None:
    write(engine, (Table.LIVE, b"k", b"v"), (Table.META, b"m", b"w"))
    engine = reopen(engine)
    assert engine.get(Table.LIVE, b"k") == b"v"
    assert engine.get(Table.META, b"m") == b"w"


# --- receiving a snapshot -------------------------------------------------------------------------------------------


def test_staged_rows_are_invisible_until_commit_and_everything_after(engine: Engine, reopen: Reopen) -> None:
    write(engine, (Table.LIVE, b"old", b"v"), (Table.HISTORY, b"old", b"v"), (Table.META, b"m", b"1"), (Table.LOG, b"l", b""))
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"w")])
    staging.add(Table.LIVE, [(b"newer", b"w")])
    assert live(engine) == {b"old": b"v"}
    batch = Batch()
    batch.put(Table.META, b"m", b"2")
    batch.truncate(Table.LOG, b"", b"z")
    staging.commit(batch)
    engine = reopen(engine)
    assert live(engine) == {b"new": b"w", b"newer": b"w"}
    assert list(engine.scan(Table.HISTORY)) == []
    assert list(engine.scan(Table.LOG)) == []
    assert engine.get(Table.META, b"m") == b"2"


def test_committed_state_is_read_and_written_at_once(engine: Engine) -> None:
    write(engine, (Table.LIVE, b"old", b"v"))
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"w")])
    staging.commit(Batch())
    write(engine, (Table.LIVE, b"newer", b"x"))
    assert live(engine) == {b"new": b"w", b"newer": b"x"}
    assert engine.get(Table.LIVE, b"old") is None


def test_many_rows_can_be_staged(engine: Engine) -> None:
    rows = [(b"%05d" % number, b"") for number in range(2500)]
    staging = engine.stage()
    staging.add(Table.LIVE, rows)
    staging.commit(Batch())
    assert list(engine.scan(Table.LIVE)) == rows


def test_abandoned_snapshot_leaves_the_state_alone(engine: Engine, reopen: Reopen) -> None:
    write(engine, (Table.LIVE, b"old", b"v"))
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"w")])
    staging.abandon()
    staging.abandon()
    with pytest.raises(StorageError):
        staging.add(Table.LIVE, [(b"new", b"w")])
    with pytest.raises(StorageError):
        staging.commit(Batch())
    assert live(engine) == {b"old": b"v"}
    assert live(reopen(engine)) == {b"old": b"v"}


def test_second_staging_forgets_the_first(engine: Engine) -> None:
    first = engine.stage()
    first.add(Table.LIVE, [(b"first", b"")])
    second = engine.stage()
    second.add(Table.LIVE, [(b"second", b"")])
    with pytest.raises(StorageError):
        first.commit(Batch())
    second.commit(Batch())
    assert live(engine) == {b"second": b""}


def test_restart_forgets_a_snapshot_that_was_not_committed(engine: Engine, reopen: Reopen) -> None:
    write(engine, (Table.LIVE, b"old", b"v"))
    engine.stage().add(Table.LIVE, [(b"staged", b"")])
    engine = reopen(engine)
    assert live(engine) == {b"old": b"v"}
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"")])
    staging.commit(Batch())
    assert live(engine) == {b"new": b""}


def test_view_and_scan_outlive_a_commit(engine: Engine) -> None:
    rows = fill(engine, 300)
    view, scan = engine.view(), engine.scan(Table.LIVE)
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"w")])
    batch = Batch()
    batch.put(Table.META, b"m", b"w")
    staging.commit(batch)
    write(engine, (Table.LIVE, b"k000000", b"changed"))
    assert list(scan) == rows
    assert list(view.scan(Table.LIVE)) == rows
    assert view.get(Table.LIVE, b"k000000") == b"v0"
    assert view.get(Table.META, b"m") is None
    view.release()


def test_snapshots_can_follow_each_other(engine: Engine, reopen: Reopen) -> None:
    for number in range(3):
        staging = engine.stage()
        staging.add(Table.LIVE, [(b"%d" % number, b"")])
        staging.commit(Batch())
        assert live(engine) == {b"%d" % number: b""}
    assert live(reopen(engine)) == {b"2": b""}
