r"""A snapshot as a file: what `snapshot save` writes and `snapshot restore` reads.

    "raftkv snapshot 1\n" | frame ... frame | padding | SHA-256 of everything before it

A frame is four bytes of length, big-endian, and a message: a SnapshotHead, SnapshotRows of one table each, and an empty
SnapshotRows with the checksum of them all (raftkv/storage/snapshot.py). Zeros pad it to a multiple of 512, for by that etcd's
tools know that the checksum is there. The 1 is the version of this format.

It holds rows, not files of RocksDB: any version of raftkv that knows the tables can read it.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from google.protobuf.message import DecodeError

from raftkv.errors import SnapshotFileError
from raftkv.pb import raft as pb
from raftkv.raft.messages import Snapshot
from raftkv.storage.engine import Reader
from raftkv.storage.snapshot import snapshot_messages

MAGIC = b"raftkv snapshot 1\n"
BLOB_BYTES = 32 * 1024
"""What etcd sends in one message."""
CHUNK_BYTES = 64 * 1024
"""Rows read in one go."""
SECTOR_BYTES = 512
DIGEST_BYTES = hashlib.sha256().digest_size
MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 4

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are done."""


class Blob(NamedTuple):
    """A piece of the file; the last one is its checksum."""

    data: bytes
    last: bool = False


def archive_blobs(view: Reader, snapshot: Snapshot) -> Iterator[Blob]:
    """The file of the state in `view`, which is the state at `snapshot`, piece by piece. It reads the disk."""
    digest = hashlib.sha256()
    length, buffer = 0, bytearray(MAGIC)
    for message in snapshot_messages(view, snapshot, chunk_bytes=CHUNK_BYTES):
        frame = message.SerializeToString()
        buffer += len(frame).to_bytes(_LENGTH_BYTES, "big") + frame
        while len(buffer) > BLOB_BYTES:
            blob = bytes(buffer[:BLOB_BYTES])
            del buffer[:BLOB_BYTES]
            digest.update(blob)
            length += len(blob)
            yield Blob(blob)
    buffer += bytes(-(length + len(buffer)) % SECTOR_BYTES)
    while buffer:
        blob = bytes(buffer[:BLOB_BYTES])
        del buffer[:BLOB_BYTES]
        digest.update(blob)
        yield Blob(blob)
    yield Blob(digest.digest(), last=True)


class Archive:
    """A snapshot's file, for reading.

    Raises SnapshotFileError where it is no such file, or not whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                magic = file.read(len(MAGIC))
        except OSError as error:
            raise SnapshotFileError(f"{path}: {error.strerror}") from error
        if magic != MAGIC:
            raise SnapshotFileError(f"{path}: not a snapshot of raftkv, or of a version that is not known here")

    def check(self, progress: Progress) -> None:
        """Compares the file with the checksum at its end."""
        if self.size % SECTOR_BYTES != DIGEST_BYTES:
            raise SnapshotFileError(f"{self.path}: the checksum at its end is missing: it is not whole")
        digest, end = hashlib.sha256(), self.size - DIGEST_BYTES
        with self.path.open("rb") as file:
            while (done := file.tell()) < end:
                digest.update(file.read(min(CHUNK_BYTES, end - done)))
                progress(done, end)
            if file.read() != digest.digest():
                raise SnapshotFileError(f"{self.path}: its checksum does not match: it is damaged")

    def messages(self, progress: Progress) -> Iterator[pb.SnapshotHead | pb.SnapshotRows]:
        """The head, then the rows; the last ones are empty and have the checksum of all."""
        with self.path.open("rb") as file:
            file.seek(len(MAGIC))
            try:
                yield pb.SnapshotHead.FromString(self._frame(file))
                while (rows := pb.SnapshotRows.FromString(self._frame(file))).keys:
                    yield rows
                    progress(file.tell(), self.size)
                yield rows
            except DecodeError as error:
                raise SnapshotFileError(f"{self.path}: damaged before byte {file.tell()}") from error

    def _frame(self, file: BinaryIO) -> bytes:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
        frame = file.read(length) if length <= MAX_FRAME_BYTES else b""
        if len(frame) != length:
            raise SnapshotFileError(f"{self.path}: it breaks off, or is damaged, before byte {file.tell()}")
        return frame
