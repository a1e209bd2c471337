"""Keys as a tree, a page at a time, and the versions of one key.

    prefix "jobs/"      jobs/a/1  jobs/a/2  jobs/b  ->  a/ (2 keys)  b

A folder is a count and a look at where the next one begins, both from the index in memory, so a page costs the same whether
a folder has two keys or a million. Keys are bytes: where one has no slash it is a leaf, whatever its bytes are.
"""

from collections.abc import Iterator
from typing import Final

from raftkv.mvcc.layout import pack_revision, revision_of, versions_of
from raftkv.mvcc.sight import Sight
from raftkv.pb.kv import KeyValue
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica
from raftkv.storage.engine import Table
from raftkv.ui.question import Gate, Json, Parameters, encoded, prefix_end

SEPARATOR: Final = b"/"
MAX_READ_BYTES: Final = 1 << 20
"""A page ends with the value that brings it above this."""
PREVIEW_BYTES: Final = 256
"""Of a value, in a list."""
MAX_VERSION_BYTES: Final = 16 * 1024
"""Of a value, in a history."""


class KeysView:
    """Answers about keys, from this node's own state."""

    def __init__(self, replica: Replica, gate: Gate) -> None:
        self._replica = replica
        self._gate = gate

    async def children(self, call: Call, parameters: Parameters) -> Json:
        """What is right below `prefix`: folders and keys, `limit` of them, `after` the last one that is known."""
        prefix, after = parameters.data("prefix"), parameters.data("after")
        limit = parameters.limit()
        self._gate.check_range(call, prefix, prefix_end(prefix))
        answer: Json = await self._replica.read_local(lambda: self._children(prefix, after, limit))
        return answer

    async def history(self, call: Call, parameters: Parameters) -> Json:
        """The versions of `key` that are kept, the newest first, those `before` a revision."""
        key, limit = parameters.data("key"), parameters.limit(50)
        before = parameters.number("before", 0, most=2**62) or 2**62
        self._gate.check_range(call, key)
        answer: Json = await self._replica.read_local(lambda: self._history(key, before, limit))
        return answer

    def _children(self, prefix: bytes, after: bytes, limit: int) -> Json:
        sight = self._replica.store.sight()
        end = prefix_end(prefix)
        bound = None if end == b"\0" else end
        rows: list[Json] = []
        more, read = False, 0
        for key, folder in children(sight, prefix, after, bound):
            if len(rows) == limit or read > MAX_READ_BYTES:
                more = True
                break
            rows.append(_folder(sight, key) if folder else _leaf(sight, key))
            read += rows[-1].get("size", 0)
        return {
            "revision": sight.revision,
            "count": sight.count(prefix, bound),
            "more": more,
            "rows": rows,
        }

    def _history(self, key: bytes, before: int, limit: int) -> Json:
        sight = self._replica.store.sight()
        compacted = max(sight.compact_revision, 0)
        versions: list[Json] = []
        read, more = 0, False
        for revision, value in kept_versions(sight, key, before, compacted):
            if len(versions) == limit or read > MAX_READ_BYTES:
                more = True
                break
            versions.append(_version(revision, value))
            read += len(value)
        return {"revision": sight.revision, "compacted": compacted, "versions": versions, "more": more}


def children(sight: Sight, prefix: bytes, after: bytes, end: bytes | None) -> Iterator[tuple[bytes, bool]]:
    """Each child of a prefix, and whether it is a folder, in order; the index must not change meanwhile."""
    position = max(prefix, _behind(after))
    while True:
        key = next(sight.index.keys(position, end), None)
        if key is None:
            return
        slash = key.find(SEPARATOR, len(prefix))
        folder = slash >= 0
        child = key[: slash + 1] if folder else key
        yield child, folder
        position = _behind(child, folder=folder)


def _behind(child: bytes, *, folder: bool | None = None) -> bytes:
    """The first key that could come behind a child. One that ends with a separator is a folder: a key cannot stand where one is."""
    if folder if folder is not None else child.endswith(SEPARATOR):
        return prefix_end(child)
    return child + b"\0" if child else b""


def kept_versions(sight: Sight, key: bytes, before: int, compacted: int) -> Iterator[tuple[int, bytes]]:
    """Versions from new to old, with their encoded KeyValues; nothing for one that deleted the key. Of those at or below the
    compacted revision only the newest can still be read; rows of the others may not have been removed yet.
    """
    first = versions_of(key)
    for row, value in sight.reader().scan(Table.HISTORY, first, first + pack_revision(before, 0), reverse=True):
        revision, _ = revision_of(row)
        if value or revision > compacted:
            yield revision, value
        if revision <= compacted:
            return


def _folder(sight: Sight, key: bytes) -> Json:
    return {"key": encoded(key), "folder": True, "count": sight.count(key, prefix_end(key))}


def _leaf(sight: Sight, key: bytes) -> Json:
    found = KeyValue.FromString(sight.get(key) or b"")
    return {
        "key": encoded(key),
        "folder": False,
        "size": len(found.value),
        "value": encoded(found.value[:PREVIEW_BYTES]),
        "mod_revision": found.mod_revision,
        "create_revision": found.create_revision,
        "version": found.version,
        "lease": f"{found.lease:x}" if found.lease else "",
    }


def _version(revision: int, encoded_kv: bytes) -> Json:
    if not encoded_kv:
        return {"revision": revision, "deleted": True}
    found = KeyValue.FromString(encoded_kv)
    return {
        "revision": revision,
        "deleted": False,
        "size": len(found.value),
        "value": encoded(found.value[:MAX_VERSION_BYTES]),
        "version": found.version,
        "create_revision": found.create_revision,
        "lease": f"{found.lease:x}" if found.lease else "",
    }
