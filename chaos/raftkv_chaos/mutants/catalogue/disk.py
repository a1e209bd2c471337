"""Bugs of what is on disk. RocksDB owns the files, so many of the classic ones have no code here that could have them."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

LOG, WRITER, WAL = "raftkv.storage.log", "raftkv.server.writer", "raftkv.storage.wal"
PERSISTENCE, THREAD = "raftkv.raft.persistence", "raftkv.storage.thread"


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...]) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


_DECODE = "            entry = decode_entry(last + 1, key, row)\n            if entry.term"

MUTANTS = (
    _one(
        "D1",
        "a new directory is not synced into its parent",
        "raftkv.storage.directory",
        "            os.fsync(parent)\n",
        "            os.fstat(parent)\n",
        ("directory",),
    ),
    _one(
        "D2",
        "a torn end of the write-ahead log is fatal",
        WAL,
        "        if not _torn(data, damage):\n            return False\n",
        "        return False\n",
        ("tests:tests/storage/test_wal.py",),
    ),
    _one(
        "D3",
        "a damaged entry in the middle of the log ends it",
        LOG,
        _DECODE,
        "            try:\n"
        "                entry = decode_entry(last + 1, key, row)\n"
        "            except StorageError:\n"
        "                break\n"
        "            if entry.term",
        ("disk",),
    ),
    _one(
        "D3b",
        "damage in the middle of the write-ahead log counts as its torn end",
        WAL,
        "        if not _torn(data, damage):\n            return False\n",
        "",
        ("tests:tests/storage/test_wal.py",),
    ),
    _one(
        "D4",
        "the checksum of an entry is not looked at",
        LOG,
        "!= checksum or kind not in _KINDS:",
        "!= checksum and kind not in _KINDS:",
        ("disk",),
    ),
    Mutant(
        "D4b",
        "the checksum does not cover the place of an entry, nor does its key",
        (
            Edit(
                LOG,
                "return _ROW.pack(zlib.crc32(data, zlib.crc32(_CHECKED.pack(index, term, kind))), term, kind) + data",
                "return _ROW.pack(zlib.crc32(data, zlib.crc32(_CHECKED.pack(0, term, kind))), term, kind) + data",
            ),
            Edit(
                LOG,
                "if zlib.crc32(data, zlib.crc32(_CHECKED.pack(index, term, kind))) != checksum",
                "if zlib.crc32(data, zlib.crc32(_CHECKED.pack(0, term, kind))) != checksum",
            ),
        ),
        ("disk",),
    ),
    _one(
        "D5",
        "a tail of zeros is taken for a damaged record",
        WAL,
        'used = len(data.rstrip(b"\\0"))',
        "used = len(data)",
        ("tests:tests/storage/test_wal.py",),
    ),
    _one(
        "D6",
        "a write that failed counts as done",
        WRITER,
        "            if isinstance(result, BaseException):\n                self._failed(result)",
        "            if isinstance(result, KeyboardInterrupt):\n                self._failed(result)",
        ("cluster",),
    ),
    _one(
        "D6b",
        "a write that failed is tried once more",
        WRITER,
        "        self._engine.write(batch, sync=sync)\n",
        "        try:\n"
        "            self._engine.write(batch, sync=sync)\n"
        "        except Exception:\n"
        "            self._engine.faults.failed = False\n"
        "            self._engine.faults.syncs_before_failure = None\n"
        "            self._engine.write(Batch(), sync=False)\n",
        ("failing", "cluster"),
    ),
    _one(
        "D11",
        "a sync lets go what was queued after it began",
        PERSISTENCE,
        "        self._in_flight = None\n        node, log = self._node, self._node.log\n",
        "        self._in_flight = None\n        node, log = self._node, self._node.log\n"
        "        node.messages += node.deferred\n        node.deferred = []\n",
        ("raft",),
    ),
    _one(
        "D13",
        "the log is dropped before the state that replaces it is on disk",
        WRITER,
        "        self._compact_to = index\n        self.linger()",
        "        early = Batch()\n"
        "        self._log.compact(early, index)\n"
        "        self._storage.submit(lambda: self._engine.write(early, sync=True), lambda _: None)",
        ("cluster",),
    ),
)

_ROCKSDB = "RocksDB owns the files: it writes, checks, syncs, renames and removes them, and has tests of its own"
IMPOSSIBLE = (
    Impossible("D7", "the length of a record is trusted", _ROCKSDB + "; records of peers are bounded by O4's frames"),
    Impossible(
        "D8", "after a full disk half a record stays and writing goes on", _ROCKSDB + "; a failed write ends the node (D6)"
    ),
    Impossible(
        "D9",
        "a snapshot is written in place",
        "snapshots are staged tables, swapped in by one synced batch; the file of `snapshot save` is the client's",
    ),
    Impossible(
        "D10",
        "a new segment of the log lacks what it continues from",
        "there are no segments: the log is rows, its start and the hard state are rows of the same batch",
    ),
    Impossible(
        "D12",
        "two unsynced writes are taken to be in order",
        "they are: state and log share one write-ahead log, which loses its end, never its middle",
    ),
    Impossible("D14", "two processes open one data directory", _ROCKSDB + ", its lock included"),
    Impossible(
        "D15",
        "a directory restored from an old copy rejoins with the same id",
        "nothing on the node can tell; `snapshot restore` makes a new cluster with new ids, and copying directories is warned of in docs/",
    ),
)
