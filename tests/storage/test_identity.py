"""A data directory belongs to one node of one cluster."""

import pytest

from raftkv.errors import ConfigError, StorageError
from raftkv.storage.engine import Batch, Engine, Table
from raftkv.storage.identity import Identity, check_identity, read_identity, save_identity

IDENTITY = Identity(0xC0FFEE, 2**64 - 1, "nœud-1")


@pytest.fixture
def claimed(engine: Engine) -> Engine:
    batch = Batch()
    save_identity(batch, IDENTITY)
    engine.write(batch, sync=True)
    return engine


def test_new_data_belongs_to_nobody(engine: Engine) -> None:
    assert read_identity(engine) is None
    check_identity(engine, IDENTITY)


def test_saved_identity_is_read_back(claimed: Engine) -> None:
    assert read_identity(claimed) == IDENTITY
    check_identity(claimed, IDENTITY)


def test_renamed_node_keeps_its_data(claimed: Engine) -> None:
    check_identity(claimed, IDENTITY._replace(name="other"))


def test_another_node_is_refused(claimed: Engine) -> None:
    with pytest.raises(ConfigError, match="belongs to member ffffffffffffffff"):
        check_identity(claimed, IDENTITY._replace(node_id=2))


def test_another_cluster_is_refused(claimed: Engine) -> None:
    with pytest.raises(ConfigError, match="belongs to cluster c0ffee, not 1"):
        check_identity(claimed, IDENTITY._replace(cluster_id=1))


@pytest.mark.parametrize("row", [b"short", bytes(16) + b"\xff"])
def test_damaged_identity_is_refused(engine: Engine, row: bytes) -> None:
    batch = Batch()
    batch.put(Table.META, b"identity", row)
    engine.write(batch, sync=True)
    with pytest.raises(StorageError, match="identity is damaged"):
        check_identity(engine, IDENTITY)
