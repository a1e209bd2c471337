"""The state on its way to another node, both ends at once."""

from collections.abc import Iterator

import pytest

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.raft.messages import HardState, Membership, Snapshot
from raftkv.storage.engine import Batch, Engine, Reader, Table
from raftkv.storage.log import LogStore
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.snapshot import SnapshotMessage, SnapshotReceiver, snapshot_messages

SNAPSHOT = Snapshot(1000, 7, Membership((1, 2, 3), (4,)))


def source() -> MemoryEngine:
    engine = MemoryEngine()
    batch = Batch()
    for number in range(500):
        batch.put(Table.LIVE, b"k%03d" % number, b"v" * number)
        batch.put(Table.HISTORY, b"k%03d" % number, b"")
    batch.put(Table.STATE, b"applied", b"1000")
    batch.put(Table.META, b"mine", b"stays here")
    engine.write(batch, sync=True)
    return engine


def on_the_wire(messages: Iterator[SnapshotMessage]) -> tuple[pb.SnapshotHead, list[pb.SnapshotRows]]:
    head, *rows = (type(message).FromString(message.SerializeToString()) for message in messages)
    assert isinstance(head, pb.SnapshotHead)
    return head, [message for message in rows if isinstance(message, pb.SnapshotRows)]


def sent(chunk_bytes: int = 4096) -> tuple[pb.SnapshotHead, list[pb.SnapshotRows]]:
    return on_the_wire(snapshot_messages(source().view(), SNAPSHOT, chunk_bytes=chunk_bytes))


def add_all(receiver: SnapshotReceiver, rows: list[pb.SnapshotRows]) -> None:
    for message in rows:
        receiver.add(message)


def state(reader: Reader) -> dict[Table, dict[bytes, bytes]]:
    return {table: dict(reader.scan(table)) for table in Table if table.replicated}


def test_whole_state_arrives_and_local_tables_stay(engine: Engine) -> None:
    log = LogStore.open(engine)
    batch = Batch()
    batch.put(Table.LIVE, b"old", b"v")
    batch.put(Table.META, b"mine", b"other")
    engine.write(batch, sync=True)
    head, rows = sent()
    receiver = SnapshotReceiver(engine, head)
    for message in rows:
        assert not receiver.complete
        receiver.add(message)
    assert receiver.complete
    assert receiver.snapshot == SNAPSHOT
    batch = Batch()
    log.reset(batch, receiver.snapshot)
    log.save(batch, HardState(7, 0, 1000), [])
    receiver.commit(batch)
    log.saved()
    assert state(engine) == state(source())
    assert engine.get(Table.META, b"mine") == b"other"
    assert LogStore.open(engine).start == (1000, 7)


def test_chunks_are_bounded_unless_one_row_is_larger() -> None:
    _, rows = sent(chunk_bytes=400)
    for message in rows:
        size = sum(map(len, message.keys)) + sum(map(len, message.values))
        assert size <= 400 or len(message.keys) == 1
    assert len(rows) > 100


def test_empty_state_is_a_head_and_an_end(engine: Engine) -> None:
    head, rows = on_the_wire(snapshot_messages(MemoryEngine().view(), SNAPSHOT))
    assert len(rows) == 1
    receiver = SnapshotReceiver(engine, head)
    receiver.add(rows[0])
    assert receiver.complete


def test_state_is_that_of_the_view_whatever_is_written_meanwhile() -> None:
    engine = source()
    expected = state(engine)
    messages = snapshot_messages(engine.view(), SNAPSHOT, chunk_bytes=1000)
    target = MemoryEngine()
    head = next(messages)
    assert isinstance(head, pb.SnapshotHead)
    receiver = SnapshotReceiver(target, head)
    for number, message in enumerate(messages):
        assert isinstance(message, pb.SnapshotRows)
        receiver.add(message)
        batch = Batch()
        batch.put(Table.LIVE, b"k%03d" % (499 - number), b"changed")
        engine.write(batch, sync=False)
    receiver.commit(Batch())
    assert state(target) == expected


def damage_lost(rows: list[pb.SnapshotRows]) -> None:
    del rows[3]


def damage_repeated(rows: list[pb.SnapshotRows]) -> None:
    rows.insert(3, rows[3])


def damage_swapped(rows: list[pb.SnapshotRows]) -> None:
    rows[3], rows[4] = rows[4], rows[3]


def damage_bit(rows: list[pb.SnapshotRows]) -> None:
    rows[3].values[0] = b"?" + rows[3].values[0][1:]


def damage_shifted(rows: list[pb.SnapshotRows]) -> None:
    key, value = rows[3].keys[1], rows[3].values[1]
    rows[3].keys[1], rows[3].values[1] = key + value[:1], value[1:]


def damage_table(rows: list[pb.SnapshotRows]) -> None:
    rows[3].table = Table.REQUESTS


def damage_local_table(rows: list[pb.SnapshotRows]) -> None:
    rows[3].table = Table.META


def damage_unknown_table(rows: list[pb.SnapshotRows]) -> None:
    rows[3].table = 99


def damage_uneven(rows: list[pb.SnapshotRows]) -> None:
    del rows[3].values[0]


def damage_end(rows: list[pb.SnapshotRows]) -> None:
    rows[-1].crc32 ^= 1


def damage_continued(rows: list[pb.SnapshotRows]) -> None:
    rows.append(rows[0])


DAMAGES = [
    damage_lost,
    damage_repeated,
    damage_swapped,
    damage_bit,
    damage_shifted,
    damage_table,
    damage_local_table,
    damage_unknown_table,
    damage_uneven,
    damage_end,
    damage_continued,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_snapshot_is_refused_and_forgotten(damage: object) -> None:
    assert callable(damage)
    head, rows = sent()
    damage(rows)
    engine = MemoryEngine()
    receiver = SnapshotReceiver(engine, head)
    with pytest.raises(PeerError):
        add_all(receiver, rows)
    assert state(engine) == state(MemoryEngine())
    head, rows = sent()
    receiver = SnapshotReceiver(engine, head)
    add_all(receiver, rows)
    receiver.commit(Batch())
    assert state(engine) == state(source())


def test_changed_head_is_refused() -> None:
    head, rows = sent()
    head.index += 1
    receiver = SnapshotReceiver(MemoryEngine(), head)
    with pytest.raises(PeerError, match="checksum"):
        add_all(receiver, rows)


def test_unfinished_snapshot_cannot_be_used(engine: Engine) -> None:
    head, rows = sent()
    receiver = SnapshotReceiver(engine, head)
    receiver.add(rows[0])
    with pytest.raises(AssertionError):
        receiver.commit(Batch())
    receiver.abandon()
    assert state(engine) == state(MemoryEngine())
