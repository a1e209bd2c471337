"""WatchResponse written by hand, from pieces that are encoded once for all who get them.

    response = head | [fragment] | event ... event | watch id
               ---------------- body --------------  -- tail --

Only the tail differs between watchers that see the same events, so the body is made once and the tail is made with the
watcher. Protobuf takes fields in any order; zero values are left out, as its own encoder does.
"""

from collections.abc import Iterator, Sequence

from raftkv.mvcc import Event
from raftkv.pb.rpc import WatchResponse

_EVENT_TYPE_DELETE = b"\x08\x01"
_EVENT_KV = b"\x12"
_EVENT_PREV_KV = b"\x1a"
_DELETED_KEY = b"\x0a"
_DELETED_MOD_REVISION = b"\x18"
_RESPONSE_WATCH_ID = b"\x10"
_RESPONSE_FRAGMENT = b"\x38\x01"
_RESPONSE_EVENT = b"\x5a"

MAX_TAIL_BYTES = 11
MAX_RESPONSE_BYTES = 1024 * 1024
"""Revisions that are told together make a response of about this size at most. One revision may be larger."""
MAX_TOLD_BYTES = 8 * 1024 * 1024
"""What the watchers of one stream are told at once, all together, unless a single revision is more: whether the stream has room is
asked before, so this is what a client can be behind by.
"""


def varint(number: int) -> bytes:
    """An integer as protobuf writes it; a negative one as its 64-bit complement."""
    if 0 <= number < 0x80:
        return bytes((number,))
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def event_piece(event: Event, *, previous: bool) -> bytes:
    """The event as a field of a response. Its KeyValues are taken as they are."""
    kv = event.encoded
    if kv is None:
        kv = b"".join((_DELETED_KEY, varint(len(event.key)), event.key, _DELETED_MOD_REVISION, varint(event.revision)))
        parts = [_EVENT_TYPE_DELETE, _EVENT_KV, varint(len(kv)), kv]
    else:
        parts = [_EVENT_KV, varint(len(kv)), kv]
    if previous and event.previous is not None:
        parts += (_EVENT_PREV_KV, varint(len(event.previous)), event.previous)
    body = b"".join(parts)
    return b"".join((_RESPONSE_EVENT, varint(len(body)), body))


def tail(watch_id: int) -> bytes:
    """What makes a body the response to one watcher."""
    return _RESPONSE_WATCH_ID + varint(watch_id) if watch_id else b""


def batches(told: Sequence[tuple[int, bytes]]) -> Iterator[list[bytes]]:
    """Pieces with their revisions, in lists of at most MAX_RESPONSE_BYTES; but a revision is never divided."""
    batch: list[bytes] = []
    size, last = 0, 0
    for revision, piece in told:
        if size >= MAX_RESPONSE_BYTES and revision != last:
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += len(piece)
        last = revision
    yield batch


def bodies(head: bytes, pieces: Sequence[bytes], fragment_bytes: int) -> Iterator[bytes]:
    """One body with all pieces; or, where `fragment_bytes` is not 0 and that many are reached, several with a part each."""
    size = len(head) + MAX_TAIL_BYTES + sum(map(len, pieces))
    if not fragment_bytes or size < fragment_bytes or len(pieces) < 2:
        yield head + b"".join(pieces)
        return
    overhead = len(head) + len(_RESPONSE_FRAGMENT) + MAX_TAIL_BYTES
    part: list[bytes] = []
    size = overhead
    for piece in pieces:
        if part and size + len(piece) >= fragment_bytes:
            yield b"".join((head, _RESPONSE_FRAGMENT, *part))
            part, size = [], overhead
        part.append(piece)
        size += len(piece)
    yield head + b"".join(part)


def created(head: bytes, watch_id: int) -> bytes:
    """The watch is there."""
    return head + WatchResponse(watch_id=watch_id, created=True).SerializeToString()


def refused(head: bytes, reason: str) -> bytes:
    """The watch was not created; it has no id."""
    return head + WatchResponse(watch_id=-1, created=True, canceled=True, cancel_reason=reason).SerializeToString()


def cancelled(head: bytes, watch_id: int, *, compact_revision: int = 0, reason: str = "") -> bytes:
    """The watch is gone: as asked, because its history is compacted, or for a reason."""
    response = WatchResponse(watch_id=watch_id, canceled=True, compact_revision=compact_revision, cancel_reason=reason)
    return head + response.SerializeToString()
