"""A live etcd, moved to raftkv."""

import signal
import subprocess
from pathlib import Path

import pytest

from raftkv.pb import auth, kv, rpc
from raftkv_cli.migration.plan import MAX_OPERATIONS, Change, Known, Step, portions, steps
from tests.cli.conversation import RAFTKV, Conversation
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster, Node
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

EVERYTHING = rpc.RangeRequest(key=b"\0", range_end=b"\0")


def put(node: Node, key: bytes, value: bytes = b"v", lease: int = 0) -> None:
    node.caller.ask(rpc.PutRequest(key=key, value=value, lease=lease))


def everything(node: Node) -> list[kv.KeyValue]:
    return list(node.caller.ask(EVERYTHING).kvs)


def migrate(old: Cluster, new: Cluster, *options: str) -> list[str]:
    return [*RAFTKV, "--endpoints", ",".join(new.endpoints), "migrate", "--from", ",".join(old.endpoints), *options]


def orders(found: list[kv.KeyValue]) -> tuple[list[bytes], list[bytes]]:
    """Keys by creation, and by last change; those of one revision by name."""
    created = sorted(found, key=lambda one: (one.create_revision, one.key))
    changed = sorted(found, key=lambda one: (one.mod_revision, one.key))
    return [one.key for one in created], [one.key for one in changed]


def test_a_key_stands_at_its_creation_and_at_its_last_change() -> None:
    keys = [Known(b"lock/1", 5, 9), Known(b"lock/2", 6, 6), Known(b"pair", 6, 6)]
    assert list(steps(keys)) == [Step(5, [b"lock/1"]), Step(6, [b"lock/2", b"pair"]), Step(9, [b"lock/1"])]
    assert list(steps(keys, after=5)) == [Step(6, [b"lock/2", b"pair"]), Step(9, [b"lock/1"])]


def test_large_revisions_are_cut() -> None:
    assert [len(piece) for piece in portions([Change(b"%d" % number, None) for number in range(MAX_OPERATIONS + 1)])] == [
        100,
        1,
    ]
    large = Change(b"k", kv.KeyValue(value=bytes(700_000)))
    assert [len(piece) for piece in portions([large, large, large])] == [1, 1, 1]
    assert list(portions([])) == []


def fill(old: Node) -> None:
    put(old, b"lock/a")
    put(old, b"lock/b")
    put(old, b"lock/a", b"again")
    both = [rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=b"together")) for key in (b"x/1", b"x/2")]
    old.caller.ask(rpc.TxnRequest(success=both))
    for number in range(300):
        put(old, b"many/%d" % (number * 7 % 300))
    old.caller.ask(rpc.LeaseGrantRequest(TTL=60, ID=77))
    put(old, b"leased", lease=77)
    old.caller.ask(rpc.AuthRoleAddRequest(name="reader"))
    permission = auth.Permission(permType=auth.Permission.READ, key=b"a", range_end=b"c")
    old.caller.ask(rpc.AuthRoleGrantPermissionRequest(name="reader", perm=permission))
    for user in ("alice", "bob"):
        old.caller.ask(rpc.AuthUserAddRequest(name=user, password="old"))
        old.caller.ask(rpc.AuthUserGrantRoleRequest(user=user, role="reader"))


def test_a_live_etcd_is_copied_followed_and_cut_over(start_cluster: StartCluster, tmp_path: Path) -> None:
    source, target = start_cluster(EtcdCluster), start_cluster(RaftkvCluster)
    old, new = source.nodes[0], target.nodes[0]
    fill(old)
    passwords = tmp_path / "passwords"
    passwords.write_text("alice:secret\n")
    with Conversation(migrate(source, target, "--passwords", str(passwords))) as running:
        said = running.read_until(b"Following the old cluster")
        assert b"Users without a password yet: bob." in said
        for number in range(200):
            put(old, b"later/%d" % (number % 50), b"%d" % number)
        old.caller.ask(rpc.DeleteRangeRequest(key=b"many/", range_end=b"many/2"))
        old.caller.ask(rpc.LeaseGrantRequest(TTL=60, ID=78))
        put(old, b"leased-later", lease=78)
        code, output, complaints = running.end(signal.SIGTERM)
    assert code == 0, complaints
    assert b"nothing differs" in output
    expected, found = everything(old), everything(new)
    assert [(one.key, one.value, one.lease) for one in found] == [(one.key, one.value, one.lease) for one in expected]
    assert orders(found) == orders(expected)
    assert new.caller.ask(rpc.LeaseTimeToLiveRequest(ID=78)).grantedTTL == 60
    assert new.caller.ask(rpc.AuthRoleGetRequest(role="reader")).perm[0].range_end == b"c"
    assert list(new.caller.ask(rpc.AuthUserGetRequest(name="bob")).roles) == ["reader"]


def test_the_way_back_is_the_same_command(start_cluster: StartCluster) -> None:
    source, target = start_cluster(RaftkvCluster), start_cluster(EtcdCluster)
    fill(source.nodes[0])
    done = subprocess.run(migrate(source, target, "--cut-over"), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert orders(everything(target.nodes[0])) == orders(everything(source.nodes[0]))


def test_an_old_cluster_with_authentication_is_read_as_root(start_cluster: StartCluster) -> None:
    source, target = start_cluster(EtcdCluster), start_cluster(RaftkvCluster)
    old = source.nodes[0]
    put(old, b"key")
    old.caller.ask(rpc.AuthRoleAddRequest(name="root"))
    old.caller.ask(rpc.AuthUserAddRequest(name="root", password="secret"))
    old.caller.ask(rpc.AuthUserGrantRoleRequest(user="root", role="root"))
    old.caller.ask(rpc.AuthEnableRequest())
    done = subprocess.run(migrate(source, target, "--cut-over"), capture_output=True, check=False)
    assert done.returncode == 1
    done = subprocess.run(migrate(source, target, "--cut-over", "--from-user", "root:secret"), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"After the cut-over: raftkv auth enable" in done.stdout
    assert [one.key for one in everything(target.nodes[0])] == [b"key"]


def test_what_broke_off_goes_on_where_it_was(start_cluster: StartCluster) -> None:
    source, target = start_cluster(EtcdCluster), start_cluster(RaftkvCluster)
    old, new = source.nodes[0], target.nodes[0]
    fill(old)
    with Conversation(migrate(source, target)) as running:
        running.read_until(b"Following the old cluster")
        put(old, b"meanwhile")
        running.end(signal.SIGKILL)
    put(old, b"lock/b", b"while nobody followed")
    done = subprocess.run(migrate(source, target, "--cut-over"), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert orders(everything(new)) == orders(everything(old))


@pytest.mark.parametrize(("key", "complaint"), [(b"stranger", b"the new cluster has keys"), (b"", b"differ")])
def test_a_cluster_that_is_not_ours_alone_is_refused(key: bytes, complaint: bytes, start_cluster: StartCluster) -> None:
    source, target = start_cluster(EtcdCluster), start_cluster(RaftkvCluster)
    put(source.nodes[0], b"key")
    if key:
        put(target.nodes[0], key)
        done = subprocess.run(migrate(source, target, "--cut-over"), capture_output=True, check=False)
        assert done.returncode == 1
        assert complaint in done.stderr
        return
    with Conversation(migrate(source, target)) as running:
        running.read_until(b"Following the old cluster")
        put(target.nodes[0], b"written at the new one too early")
        code, _, complaints = running.end(signal.SIGINT)
    assert code == 1
    assert complaint in complaints
