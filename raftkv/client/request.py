"""From the arguments of a call to its message: keys, ranges and options, checked where the server would not tell.

range(key)                    that key
range(key, range_end)         [key, range_end)
range(key, prefix=True)       every key that starts with key; all keys, if it is empty
range(key, from_key=True)     every key from key on
"""

from typing import Literal

from raftkv.pb import rpc

Data = str | bytes
"""Keys and values; text is UTF-8."""

Order = Literal["ascend", "descend"]
SortBy = Literal["key", "version", "create", "mod", "value"]

ALL_KEYS = b"\x00"
"""As a range's end: no end. As its first key, with that end: every key."""

_ORDERS = {
    None: rpc.RangeRequest.NONE,
    "ascend": rpc.RangeRequest.ASCEND,
    "descend": rpc.RangeRequest.DESCEND,
}
_TARGETS = {
    None: rpc.RangeRequest.KEY,
    "key": rpc.RangeRequest.KEY,
    "version": rpc.RangeRequest.VERSION,
    "create": rpc.RangeRequest.CREATE,
    "mod": rpc.RangeRequest.MOD,
    "value": rpc.RangeRequest.VALUE,
}


def as_bytes(data: Data) -> bytes:
    """The bytes of a key or value. Raises TypeError for anything that is neither text nor bytes (numbers, say)."""
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    raise TypeError(f"keys and values are str or bytes, not {type(data).__name__}")


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all keys that start with `prefix`: "ab" -> "ac"; a last byte of 255 carries; all 255 -> no end."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else ALL_KEYS


def key_range(key: Data, range_end: Data | None = None, *, prefix: bool = False, from_key: bool = False) -> tuple[bytes, bytes]:
    """First key and end of a range as the API has them; an empty end means the one key. Raises ValueError."""
    if (range_end is not None) + prefix + from_key > 1:
        raise ValueError("range_end, prefix and from_key exclude each other")
    first = as_bytes(key)
    if prefix:
        return first or ALL_KEYS, prefix_end(first)
    if from_key:
        return first or ALL_KEYS, ALL_KEYS
    return first, b"" if range_end is None else as_bytes(range_end)


def range_request(
    key: Data,
    range_end: Data | None = None,
    *,
    prefix: bool = False,
    from_key: bool = False,
    limit: int = 0,
    revision: int = 0,
    order: Order | None = None,
    sort_by: SortBy | None = None,
    serializable: bool = False,
    keys_only: bool = False,
    count_only: bool = False,
    min_mod_revision: int = 0,
    max_mod_revision: int = 0,
    min_create_revision: int = 0,
    max_create_revision: int = 0,
) -> rpc.RangeRequest:
    """Reads keys. `sort_by` without `order` means ascending; left to itself, etcd would then cut to `limit` before it sorts."""
    if order not in _ORDERS or sort_by not in _TARGETS:
        raise ValueError(f"order is one of {[*_ORDERS]}, sort_by one of {[*_TARGETS]}")
    if sort_by is not None and order is None:
        order = "ascend"
    first, end = key_range(key, range_end, prefix=prefix, from_key=from_key)
    return rpc.RangeRequest(
        key=first,
        range_end=end,
        limit=limit,
        revision=revision,
        sort_order=_ORDERS[order],
        sort_target=_TARGETS[sort_by],
        serializable=serializable,
        keys_only=keys_only,
        count_only=count_only,
        min_mod_revision=min_mod_revision,
        max_mod_revision=max_mod_revision,
        min_create_revision=min_create_revision,
        max_create_revision=max_create_revision,
    )


def put_request(
    key: Data,
    value: Data = b"",
    *,
    lease: int = 0,
    prev_kv: bool = False,
    ignore_value: bool = False,
    ignore_lease: bool = False,
) -> rpc.PutRequest:
    """Sets a key."""
    return rpc.PutRequest(
        key=as_bytes(key),
        value=as_bytes(value),
        lease=lease,
        prev_kv=prev_kv,
        ignore_value=ignore_value,
        ignore_lease=ignore_lease,
    )


def delete_request(
    key: Data,
    range_end: Data | None = None,
    *,
    prefix: bool = False,
    from_key: bool = False,
    prev_kv: bool = False,
) -> rpc.DeleteRangeRequest:
    """Deletes keys."""
    first, end = key_range(key, range_end, prefix=prefix, from_key=from_key)
    return rpc.DeleteRangeRequest(key=first, range_end=end, prev_kv=prev_kv)


def watch_request(
    key: Data,
    range_end: Data | None = None,
    *,
    prefix: bool = False,
    from_key: bool = False,
    start_revision: int = 0,
    prev_kv: bool = False,
    puts: bool = True,
    deletes: bool = True,
    progress_notify: bool = False,
) -> rpc.WatchCreateRequest:
    """Watches keys. Raises ValueError for a negative revision, which etcd would take for one that is compacted."""
    if start_revision < 0:
        raise ValueError(f"a watch cannot start at revision {start_revision}")
    first, end = key_range(key, range_end, prefix=prefix, from_key=from_key)
    filters = []
    if not puts:
        filters.append(rpc.WatchCreateRequest.NOPUT)
    if not deletes:
        filters.append(rpc.WatchCreateRequest.NODELETE)
    return rpc.WatchCreateRequest(
        key=first,
        range_end=end,
        start_revision=start_revision,
        prev_kv=prev_kv,
        filters=filters,
        progress_notify=progress_notify,
    )
