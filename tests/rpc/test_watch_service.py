"""The watch service of a running node: who may watch, and how many."""

from typing import Any

import pytest

from raftkv.pb import auth, rpc
from tests.conformance.watching import RawWatch
from tests.harness.calls import Caller
from tests.harness.cluster import Cluster

WATCHERS = 10_000
DENIED = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"


@pytest.fixture
def caller(raftkv_node: Cluster) -> Caller:
    return raftkv_node.nodes[0].caller


def allow(caller: Caller, key: bytes, range_end: bytes) -> dict[str, str]:
    """Turns authentication on, with a user who may read a range; the metadata of its calls."""
    caller.ask(rpc.AuthUserAddRequest(name="root", password="r"))
    caller.ask(rpc.AuthUserGrantRoleRequest(user="root", role="root"))
    caller.ask(rpc.AuthUserAddRequest(name="u", password="u"))
    caller.ask(rpc.AuthRoleAddRequest(name="reader"))
    permission = auth.Permission(permType=auth.Permission.READ, key=key, range_end=range_end)
    caller.ask(rpc.AuthRoleGrantPermissionRequest(name="reader", perm=permission))
    caller.ask(rpc.AuthUserGrantRoleRequest(user="u", role="reader"))
    caller.ask(rpc.AuthEnableRequest())
    return {"token": caller.ask(rpc.AuthenticateRequest(name="u", password="u")).token}


def test_who_may_watch_is_decided_by_the_raw_request(caller: Caller) -> None:
    stream = RawWatch(caller.endpoint, allow(caller, b"a", b"b"))
    requests: tuple[tuple[bytes, bytes], ...] = (
        (b"a", b""),
        (b"a", b"b"),
        (b"a", b"\0"),
        (b"a", b"c"),
        (b"b", b""),
        (b"", b""),
    )
    for key, end in requests:
        stream.create(key, end)
    answers = stream.take(len(requests))
    assert [answer.canceled for answer in answers] == [False, False, True, True, True, True]
    assert {(answer.watch_id, answer.cancel_reason) for answer in answers if answer.canceled} == {(-1, DENIED)}
    stream.close()


def test_a_watch_ends_when_its_permission_does(caller: Caller) -> None:
    metadata = allow(caller, b"a", b"b")
    stream = RawWatch(caller.endpoint, metadata)
    stream.create(b"a")
    stream.take()
    root = {"token": caller.ask(rpc.AuthenticateRequest(name="root", password="r")).token}
    caller.ask(rpc.AuthUserAddRequest(name="other", password="o"), metadata=root)
    caller.ask(rpc.PutRequest(key=b"a"), metadata=root)
    assert stream.take()[0].events
    caller.ask(rpc.AuthRoleRevokePermissionRequest(role="reader", key=b"a", range_end=b"b"), metadata=root)
    (ended,) = stream.take()
    assert (ended.watch_id, ended.canceled, ended.cancel_reason) == (0, True, DENIED)
    caller.ask(rpc.PutRequest(key=b"a"), metadata=root)
    stream.create(b"a")
    assert stream.take()[0].cancel_reason == DENIED
    stream.close()


def test_ten_thousand_watchers_on_one_node(caller: Caller) -> None:
    streams = [RawWatch(caller.endpoint) for _ in range(4)]
    for stream in streams:
        for number in range(WATCHERS // len(streams)):
            stream.create(b"all" if number % 2 else b"one/%d" % number)
    for stream in streams:
        assert all(answer.created for answer in stream.take(WATCHERS // len(streams)))
    caller.ask(rpc.PutRequest(key=b"all", value=bytes(100)))
    caller.ask(rpc.PutRequest(key=b"one/4"))
    for stream in streams:
        told: list[Any] = stream.take(WATCHERS // len(streams) // 2 + 1)
        assert [answer.events[0].kv.key for answer in told] == [b"all"] * (len(told) - 1) + [b"one/4"]
    for stream in streams:
        stream.close()
