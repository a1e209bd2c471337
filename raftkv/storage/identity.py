"""Whose data directory this is: written once, checked at every start.

A node that starts on the data of another one, or of another cluster, would vote with a stranger's promises.
"""

import struct
from typing import NamedTuple

from raftkv.errors import ConfigError, StorageError
from raftkv.storage.engine import Batch, Reader, Table

_KEY = b"identity"
_ROW = struct.Struct(">QQ")


class Identity(NamedTuple):
    """Who the node is."""

    cluster_id: int
    node_id: int
    name: str


def read_identity(reader: Reader) -> Identity | None:
    """Who wrote this data; None if it is new."""
    row = reader.get(Table.META, _KEY)
    if row is None:
        return None
    if len(row) < _ROW.size:
        raise StorageError("the node's identity is damaged")
    cluster_id, node_id = _ROW.unpack_from(row)
    try:
        return Identity(cluster_id, node_id, row[_ROW.size :].decode())
    except UnicodeDecodeError as error:
        raise StorageError("the node's identity is damaged") from error


def save_identity(batch: Batch, identity: Identity) -> None:
    """Puts it into the batch that makes new data this node's own; that batch must be synced."""
    batch.put(Table.META, _KEY, _ROW.pack(identity.cluster_id, identity.node_id) + identity.name.encode())


def check_identity(reader: Reader, identity: Identity) -> None:
    """Refuses data that belongs to another node. The name may change: it is how people call the node.

    Raises:
        ConfigError: another node, or another cluster, wrote this data.
    """
    found = read_identity(reader)
    if found is None:
        return
    if found.cluster_id != identity.cluster_id:
        raise ConfigError(f"data directory belongs to cluster {found.cluster_id:x}, not {identity.cluster_id:x}")
    if found.node_id != identity.node_id:
        raise ConfigError(f"data directory belongs to member {found.node_id:x} ({found.name}), not {identity.node_id:x}")
