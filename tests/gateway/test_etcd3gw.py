"""etcd3gw, the gateway's best known Python client, works unchanged."""

from collections.abc import Iterator

import etcd3gw
import pytest
from etcd3gw.client import Etcd3Client

from tests.harness.cluster import Cluster


@pytest.fixture
def client(raftkv_node: Cluster) -> Iterator[Etcd3Client]:
    host, _, port = raftkv_node.endpoints[0].rpartition(":")
    client = etcd3gw.client(host=host, port=int(port), timeout=10)
    yield client
    client.session.close()


def test_it_finds_the_api_by_the_version(client: Etcd3Client) -> None:
    assert client.api_path == "/v3/"


def test_keys_are_put_read_and_deleted(client: Etcd3Client) -> None:
    assert client.put("a/1", "one")
    assert client.put("a/2", b"\x00\xff")
    assert client.get("a/1") == [b"one"]
    assert client.get("none") == []
    assert [value for value, _ in client.get_prefix("a/")] == [b"one", b"\x00\xff"]
    value, metadata = client.get("a/1", metadata=True)[0]
    assert (value, metadata["key"], metadata["version"]) == (b"one", b"a/1", "1")
    assert client.get_all(sort_order="descend")[0][1]["key"] == b"a/2"
    assert client.delete("a/1")
    assert not client.delete("a/1")
    assert client.delete_prefix("a/")
    assert client.get_all() == []


def test_compare_and_swap_happens_once(client: Etcd3Client) -> None:
    assert client.create("k", "first")
    assert not client.create("k", "second")
    assert client.replace("k", "first", "second")
    assert not client.replace("k", "first", "third")
    assert client.get("k") == [b"second"]


def test_status_and_members_are_told(client: Etcd3Client) -> None:
    status = client.status()
    assert status["version"].startswith("3.5.")
    assert status["leader"] == status["header"]["member_id"]
    members = client.members()
    assert [member["name"] for member in members] == ["node1"]


def test_errors_carry_etcds_words(client: Etcd3Client) -> None:
    with pytest.raises(etcd3gw.exceptions.Etcd3Exception) as error:
        client.put("", "value")
    assert "etcdserver: key is not provided" in str(error.value.detail_text)
