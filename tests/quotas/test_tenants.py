"""Requests and watches at one node: limits of its own, on its own clock."""

from typing import Any

import pytest

from raftkv.auth.state import Author
from raftkv.clock import ManualClock
from raftkv.errors import QuotaExceededError
from raftkv.pb import rpc
from raftkv.pb.auth import UserAddOptions
from raftkv.pb.quota import Quota, RemoveQuotaRequest, SetQuotaRequest
from raftkv.pb.update import Change, UpdateRequest
from raftkv.reply import Reply
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.tenants import Census, Tenants, limited
from tests.apply.commands import Machine

DONE: Reply[Any] = Reply()


class Node:
    """What one node lets through."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.clock = ManualClock(100.0)
        self.tenants = Tenants(self.machine.machine.quotas, self.clock.now)

    def limit(self, prefix: bytes, role: str = "", **limits: Any) -> None:
        self.apply(set_quota=SetQuotaRequest(quota=Quota(prefix=prefix, role=role, **limits)))

    def apply(self, **change: Any) -> None:
        auth = self.machine.machine.auth
        author: dict[str, Any] = {"user": "root", "auth_revision": auth.revision} if auth.enabled else {}
        assert self.machine.apply(**author, **change).error is None

    def ask(self, request: Any, path: str = "Range", user: str = "") -> str:
        service = "/raftkv.v1.Updates/" if path == "Update" else "/etcdserverpb.KV/"
        method = limited(Method(service + path, Kind.UNARY, type(request), rpc.RangeResponse, lambda *_: DONE), self.tenants)
        try:
            method.handler(request, call_of(user))
        except QuotaExceededError as error:
            return str(error)
        return "done"

    def read(self, key: bytes, user: str = "") -> bool:
        return self.ask(rpc.RangeRequest(key=key), user=user) == "done"

    def with_users(self) -> None:
        for name, role in (("root", "root"), ("ann", "guests"), ("bob", "hosts")):
            self.machine.apply(user_add=rpc.AuthUserAddRequest(name=name, options=UserAddOptions(no_password=True)))
            self.machine.apply(role_add=rpc.AuthRoleAddRequest(name=role))
            self.machine.apply(user_grant_role=rpc.AuthUserGrantRoleRequest(user=name, role=role))
        self.machine.apply(auth_enable=rpc.AuthEnableRequest())


def call_of(user: str = "") -> Call:
    return Call("", author=Author(user, 9) if user else None)


def test_so_many_requests_come_at_once_and_so_many_each_second() -> None:
    node = Node()
    node.limit(b"/a/", requests_per_second=5)
    assert [node.read(b"/a/1") for _ in range(7)] == [True] * 5 + [False] * 2
    assert node.read(b"/b/1")
    node.clock.advance(0.4)
    assert [node.read(b"/a/1") for _ in range(3)] == [True, True, False]
    node.clock.advance(60)
    assert sum(node.read(b"/a/1") for _ in range(50)) == 5
    assert node.tenants.refused[b"/a/", ""] == 2 + 1 + 45


def test_the_refusal_names_prefix_limit_and_usage() -> None:
    node = Node()
    node.limit(b"/a/", requests_per_second=0)
    said = 'raftkv: quota of prefix "/a/" exceeded: 0 of 0 requests per second of this node are used, and 1 more would be'
    assert node.ask(rpc.RangeRequest(key=b"/a/1")) == said


def test_a_refused_request_takes_nothing_of_the_other_prefixes() -> None:
    node = Node()
    node.limit(b"/a/", requests_per_second=3)
    node.limit(b"/a/b/", requests_per_second=1)
    assert [node.read(b"/a/b/1") for _ in range(5)] == [True] + [False] * 4
    assert [node.read(b"/a/c") for _ in range(3)] == [True, True, False]


def operation(**request: Any) -> rpc.RequestOp:
    return rpc.RequestOp(**request)


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("Put", rpc.PutRequest(key=b"/a/1")),
        ("DeleteRange", rpc.DeleteRangeRequest(key=b"/a/1")),
        ("Txn", rpc.TxnRequest(compare=[rpc.Compare(key=b"/a/1")])),
        ("Txn", rpc.TxnRequest(failure=[operation(request_put=rpc.PutRequest(key=b"/a/1"))])),
        (
            "Txn",
            rpc.TxnRequest(
                success=[
                    operation(request_txn=rpc.TxnRequest(success=[operation(request_range=rpc.RangeRequest(key=b"/a/1"))]))
                ]
            ),
        ),
        ("Update", UpdateRequest(prefix=b"/a", changes=[Change(key=b"/1")])),
    ],
    ids=["put", "delete", "compare", "failure", "nested", "update"],
)
def test_every_kind_of_request_counts_where_its_keys_lie(path: str, request_: Any) -> None:
    node = Node()
    node.limit(b"/a/", requests_per_second=1)
    assert node.ask(request_, path) == "done"
    assert "exceeded" in node.ask(request_, path)


def test_a_rate_that_stays_the_same_keeps_what_was_taken() -> None:
    node = Node()
    node.limit(b"/a/", requests_per_second=1)
    assert node.read(b"/a/1")
    node.limit(b"/b/", requests_per_second=1)
    assert not node.read(b"/a/1")
    node.apply(remove_quota=RemoveQuotaRequest(prefix=b"/a/"))
    assert node.read(b"/a/1")
    assert not node.tenants.refused


def test_a_quota_of_a_role_counts_its_users_requests_alone() -> None:
    node = Node()
    node.with_users()
    node.limit(b"/a/", role="guests", requests_per_second=1)
    assert [node.read(b"/a/1", user) for user in ("ann", "bob", "bob", "ann", "bob")] == [True, True, True, False, True]


def watch(key: bytes) -> rpc.WatchCreateRequest:
    return rpc.WatchCreateRequest(key=key)


def test_watches_are_counted_while_they_are_open() -> None:
    node = Node()
    node.limit(b"/a/", max_watches=2)
    call, name = call_of(), (b"/a/", "")
    census = Census(node.tenants, call)
    for key in (b"/a/1", b"/a/1", b"/b/1"):
        assert not node.tenants.watch_refusal(watch(key), call)
        census.began(watch(key))
    said = 'raftkv: quota of prefix "/a/" exceeded: 2 of 2 watches of this node are used, and 1 more would be'
    assert node.tenants.watch_refusal(watch(b"/a/2"), call) == said
    census.ended(watch(b"/a/1"))
    assert not node.tenants.watch_refusal(watch(b"/a/2"), call)
    assert node.tenants.watches[name] == 1


def test_watches_that_are_open_when_a_quota_is_set_or_roles_change_are_counted() -> None:
    node = Node()
    node.with_users()
    opened = [(watch(b"/a/1"), call_of("ann")), (watch(b"/a/2"), call_of("bob"))]
    node.tenants.open_watches = lambda: opened
    node.limit(b"/a/", max_watches=5)
    node.limit(b"/a/", role="guests", max_watches=5)
    assert node.tenants.watches == {(b"/a/", ""): 2, (b"/a/", "guests"): 1}
    node.apply(auth_disable=rpc.AuthDisableRequest())
    node.tenants.recount()
    assert node.tenants.watches == {(b"/a/", ""): 2}


def test_quotas_of_a_snapshot_are_heeded_as_soon_as_it_is_loaded() -> None:
    node, other = Node(), Node()
    other.limit(b"/a/", requests_per_second=0)
    other.machine.write()
    again = other.machine.restarted()
    tenants = Tenants(again.machine.quotas, node.clock.now)
    assert tenants.rated
