"""From the options of get, put and del to the arguments of the client's methods.

`client.range(**arguments)` is the command `get`; `Get(**arguments)` is a line of a transaction. The parameters here carry the
names of the command line's options.
"""

from typing import Literal, TypedDict

import click

Order = Literal["ascend", "descend"]
SortBy = Literal["key", "version", "create", "mod", "value"]
"""The client's words; to import them would be to load the client, for `raftkv get --help` too."""

ORDERS: dict[str, Order] = {"ASCEND": "ascend", "DESCEND": "descend"}
SORT_TARGETS: dict[str, SortBy] = {"CREATE": "create", "KEY": "key", "MODIFY": "mod", "VALUE": "value", "VERSION": "version"}


class RangeArguments(TypedDict):
    """What `get` asks for."""

    key: bytes
    range_end: bytes | None
    prefix: bool
    from_key: bool
    limit: int
    revision: int
    order: Order | None
    sort_by: SortBy | None
    serializable: bool
    keys_only: bool
    count_only: bool


class PutArguments(TypedDict):
    """What `put` asks for."""

    key: bytes
    value: bytes
    lease: int
    prev_kv: bool
    ignore_value: bool
    ignore_lease: bool


class DeleteArguments(TypedDict):
    """What `del` asks for."""

    key: bytes
    range_end: bytes | None
    prefix: bool
    from_key: bool
    prev_kv: bool


def range_arguments(
    *,
    key: bytes,
    range_end: bytes | None,
    prefix: bool,
    from_key: bool,
    limit: int,
    rev: int,
    keys_only: bool,
    count_only: bool,
    order: str | None,
    sort_by: str | None,
    consistency: str,
) -> RangeArguments:
    """Raises click.UsageError for options that contradict each other."""
    if keys_only and count_only:
        raise click.UsageError("--keys-only and --count-only cannot be set at the same time, choose one")
    _check_range(range_end, prefix=prefix, from_key=from_key)
    return RangeArguments(
        key=key,
        range_end=range_end,
        prefix=prefix,
        from_key=from_key,
        limit=limit,
        revision=rev,
        order=ORDERS[order] if order else None,
        sort_by=SORT_TARGETS[sort_by] if sort_by else None,
        serializable=consistency == "s",
        keys_only=keys_only,
        count_only=count_only,
    )


def put_arguments(
    *, key: bytes, value: bytes | None, lease: int, prev_kv: bool, ignore_value: bool, ignore_lease: bool
) -> PutArguments:
    """Raises click.UsageError for options that contradict each other, and where there is no value."""
    if ignore_value == (value is not None):
        raise click.UsageError("put takes no value when --ignore-value is set" if ignore_value else "put needs a value")
    if ignore_lease and lease:
        raise click.UsageError("--lease and --ignore-lease cannot be set at the same time, choose one")
    return PutArguments(
        key=key, value=value or b"", lease=lease, prev_kv=prev_kv, ignore_value=ignore_value, ignore_lease=ignore_lease
    )


def delete_arguments(*, key: bytes, range_end: bytes | None, prefix: bool, from_key: bool, prev_kv: bool) -> DeleteArguments:
    """Raises click.UsageError for options that contradict each other."""
    _check_range(range_end, prefix=prefix, from_key=from_key)
    return DeleteArguments(key=key, range_end=range_end, prefix=prefix, from_key=from_key, prev_kv=prev_kv)


def _check_range(range_end: bytes | None, *, prefix: bool, from_key: bool) -> None:
    if prefix and from_key:
        raise click.UsageError("--prefix and --from-key cannot be set at the same time, choose one")
    if (prefix or from_key) and range_end is not None:
        raise click.UsageError("too many arguments, only one is accepted when --prefix or --from-key is set")
