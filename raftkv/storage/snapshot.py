"""The state as messages, and messages as the state: what travels when a follower needs entries that are compacted.

    SnapshotHead | SnapshotRows ... SnapshotRows | SnapshotRows with the checksum alone
                   one table each, <= 256 KiB

Rows come from a View (frozen: nothing is copied, writing goes on) and go into a Staging (invisible until `commit`). No
sockets here: generators and methods that take and give messages. They read and write the disk, so each step is a job for
the storage thread, a chunk at a time, between the Raft log's own writes.

The checksum covers the head and every row with its table and lengths, so that neither a lost or repeated chunk nor bytes
shifted between a key and its value go unnoticed. TCP's own checksum misses one damaged packet in 65,536.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.raft.messages import Membership, Snapshot
from raftkv.storage.engine import Batch, Engine, Reader, Staging, Table

CHUNK_BYTES = 256 * 1024
"""Keys and values of one message together, unless a single row is larger."""

SnapshotMessage = pb.SnapshotHead | pb.SnapshotRows


def snapshot_messages(
    view: Reader, snapshot: Snapshot, *, chunk_bytes: int = CHUNK_BYTES, about_bytes: int = 0
) -> Iterator[SnapshotMessage]:
    """Everything in the state tables of `view`, which is the state at `snapshot`. Storage thread: each `next` reads a chunk.
    `about_bytes`: how much that may be, for the receiver's information.
    """
    yield _head(snapshot, about_bytes)
    checksum = _head_checksum(snapshot)
    for table in Table:
        if table.replicated:
            for rows in _chunks(view, table, chunk_bytes):
                checksum = _rows_checksum(checksum, rows)
                yield rows
    yield pb.SnapshotRows(crc32=checksum)


class SnapshotReceiver:
    """The receiving side of one snapshot. Storage thread: all methods."""

    def __init__(self, engine: Engine, head: pb.SnapshotHead) -> None:
        membership = Membership(tuple(head.membership.voters), tuple(head.membership.learners))
        self.snapshot = Snapshot(head.index, head.term, membership)
        self.complete = False
        """Whether the last message came and the checksum was right."""
        self._staging: Staging = engine.stage()
        self._checksum = _head_checksum(self.snapshot)
        self._tables = {int(table): table for table in Table if table.replicated}

    def add(self, rows: pb.SnapshotRows) -> None:
        """Takes the next message.

        Raises:
            PeerError: this is not what was sent. All of it is forgotten, and the sender may start again.
        """
        try:
            self._take(rows)
        except PeerError:
            self.abandon()
            raise

    def commit(self, batch: Batch) -> None:
        """Makes the snapshot the state, with `batch` to the local tables (the log's `reset`), in one synced step."""
        assert self.complete, "a snapshot is used whole or not at all"
        self._staging.commit(batch)

    def abandon(self) -> None:
        """Forgets what came."""
        self._staging.abandon()

    def _take(self, rows: pb.SnapshotRows) -> None:
        if self.complete:
            raise PeerError("the snapshot goes on behind its end")
        if not rows.keys:
            if rows.crc32 != self._checksum:
                raise PeerError("the snapshot was damaged on its way: its checksum does not match")
            self.complete = True
            return
        table = self._tables.get(rows.table)
        if table is None or len(rows.keys) != len(rows.values):
            raise PeerError(f"the snapshot has rows that cannot be: table {rows.table}")
        self._checksum = _rows_checksum(self._checksum, rows)
        self._staging.add(table, zip(rows.keys, rows.values, strict=True))


def _head(snapshot: Snapshot, about_bytes: int) -> pb.SnapshotHead:
    membership = pb.Membership(voters=snapshot.membership.voters, learners=snapshot.membership.learners)
    return pb.SnapshotHead(index=snapshot.index, term=snapshot.term, membership=membership, about_bytes=about_bytes)


def _chunks(view: Reader, table: Table, chunk_bytes: int) -> Iterator[pb.SnapshotRows]:
    keys: list[bytes] = []
    values: list[bytes] = []
    size = 0
    for key, value in view.scan(table):
        size += len(key) + len(value)
        if size > chunk_bytes and keys:
            yield pb.SnapshotRows(table=table, keys=keys, values=values)
            keys, values, size = [], [], len(key) + len(value)
        keys.append(key)
        values.append(value)
    if keys:
        yield pb.SnapshotRows(table=table, keys=keys, values=values)


def _head_checksum(snapshot: Snapshot) -> int:
    voters, learners = snapshot.membership
    numbers = (snapshot.index, snapshot.term, len(voters), *voters, *learners)
    return zlib.crc32(struct.pack(f">{len(numbers)}Q", *numbers))


def _rows_checksum(checksum: int, rows: pb.SnapshotRows) -> int:
    lengths = _lengths(rows.keys) + _lengths(rows.values)
    checksum = zlib.crc32(struct.pack(">II", rows.table, len(rows.keys)) + lengths, checksum)
    return zlib.crc32(b"".join(rows.values), zlib.crc32(b"".join(rows.keys), checksum))


def _lengths(parts: Sequence[bytes]) -> bytes:
    return struct.pack(f">{len(parts)}I", *map(len, parts))
