"""Authentication on clusters of real replicas under virtual time: nodes that are behind, nodes that come back by a snapshot."""

import asyncio
from functools import partial
from typing import Any

import pytest

from raftkv.apply.command import PUT, body
from raftkv.auth.state import Author
from raftkv.auth.tokens import SimpleTokens, TokenNotAppliedError
from raftkv.errors import (
    InvalidAuthTokenError,
    PermissionDeniedError,
    RequestError,
    UserEmptyError,
)
from raftkv.pb import rpc
from raftkv.pb.auth import Permission, UserAddOptions
from raftkv.pb.command import Command
from raftkv.rpc.access import Access
from raftkv.rpc.auth import LogIssuer
from raftkv.rpc.guard import guarded
from raftkv.rpc.method import Call, Kind, Method
from tests.server.replicas import Cluster, Node, insist, simulate, until

PATH = "/etcdserverpb.KV/Range"
USER = rpc.AuthUserAddRequest(options=UserAddOptions(no_password=True))


async def change(node: Node, author: Author | None = None, **command: Any) -> Any:
    """Proposes a command of users and roles."""
    data = Command(**command).SerializeToString()
    return await insist(lambda: node.replica.propose(data, author=author))


async def set_up(node: Node) -> None:
    for name in ("root", "rw"):
        await change(node, user_add=rpc.AuthUserAddRequest(name=name, options=USER.options))
        await change(node, role_add=rpc.AuthRoleAddRequest(name=name))
        await change(node, user_grant_role=rpc.AuthUserGrantRoleRequest(user=name, role=name))
    permission = Permission(permType=Permission.READWRITE, key=b"k")
    await change(node, role_grant_permission=rpc.AuthRoleGrantPermissionRequest(name="rw", perm=permission))
    await change(node, auth_enable=rpc.AuthEnableRequest())


class Door:
    """One guarded method of a node: answers who was let in."""

    def __init__(self, node: Node) -> None:
        self.tokens = SimpleTokens(asyncio.get_running_loop().time)
        node.replica.machine.auth.tokens = self.tokens
        self.access = Access(node.replica, self.tokens)
        self.issuer = LogIssuer(node.replica)
        self.node = node
        method = Method(PATH, Kind.UNARY, rpc.RangeRequest, rpc.RangeResponse, self._handle)
        self._method = guarded(method, node.replica, self.access)

    async def token(self, user: str) -> str:
        revision = self.node.replica.machine.auth.revision
        return (await self.issuer.issue(Author(user, revision))).token

    async def knock(self, metadata: dict[str, str | bytes], identity: str = "") -> str:
        request: Any = rpc.RangeRequest(key=b"k")
        handler: Any = self._method.handler
        return str(await handler(request, Call(PATH, metadata, identity=identity)))

    async def _handle(self, request: Any, call: Call) -> Any:
        self.access.check(call, request)
        return call.author.user if call.author is not None else ""


def test_node_that_is_behind_waits_for_a_token_that_is_on_its_way() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        await set_up(leader)
        await cluster.agree()
        doors = {node: Door(node) for node in (leader, follower)}
        token = await doors[leader].token("rw")
        with pytest.raises(TokenNotAppliedError):
            doors[follower].access.author(Call(PATH, {"token": token}))
        assert await doors[follower].knock({"token": token}) == "rw"
        index = follower.replica.machine.applied_index
        with pytest.raises(InvalidAuthTokenError):  # after one look at the cluster, not for ever
            await doors[follower].knock({"token": f"abcdefghijklmnop.{index + 1000}"})

    simulate(scenario)


def test_caller_is_known_by_token_before_certificate_and_never_by_that_of_a_gateway() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        door = Door(leader)
        assert await door.knock({}, "root") == ""  # nobody is asked yet
        await set_up(leader)
        token = await door.token("rw")
        assert await door.knock({}, "root") == "root"
        assert await door.knock({"token": token}, "root") == "rw"
        assert await door.knock({"authorization": f"Bearer {token}"}, "root") == "rw"
        with pytest.raises(InvalidAuthTokenError):
            await door.knock({"token": "nonsense"}, "root")
        with pytest.raises(UserEmptyError):
            await door.knock({"grpcgateway-accept": "*/*"}, "root")
        with pytest.raises(PermissionDeniedError):
            await door.knock({}, "stranger")

    simulate(scenario, count=1)


def test_tokens_go_with_their_user_and_with_authentication() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        door = Door(leader)
        await set_up(leader)
        root = Author("root", 1)
        token = await door.token("rw")
        await change(leader, root, role_add=rpc.AuthRoleAddRequest(name="unrelated"))
        assert await door.knock({"token": token}) == "rw"
        await change(leader, root, user_change_password=rpc.AuthUserChangePasswordRequest(name="rw"))
        with pytest.raises(InvalidAuthTokenError):
            await door.knock({"token": token})
        token = await door.token("rw")
        await change(leader, root, auth_disable=rpc.AuthDisableRequest())
        assert len(door.tokens) == 0
        assert await door.knock({"token": token}) == ""

    simulate(scenario, count=1)


def signed_put(node: Node, number: int) -> Any:
    request = rpc.PutRequest(key=b"k", value=b"%d" % number)
    author = Author("rw", node.replica.machine.auth.revision)
    return node.replica.propose(body(PUT, request.SerializeToString()), author=author)


def test_node_brought_up_by_a_snapshot_asks_who_calls() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        follower.crash()
        await set_up(leader)
        for number in range(60):
            await insist(partial(signed_put, leader, number))
        follower.start()
        await until(lambda: follower.replica.machine.applied_index == leader.replica.machine.applied_index)
        ours, theirs = follower.replica.machine.auth, leader.replica.machine.auth
        assert (ours.enabled, ours.revision, ours.users, ours.roles) == (
            theirs.enabled,
            theirs.revision,
            theirs.users,
            theirs.roles,
        )
        with pytest.raises(UserEmptyError):
            await Door(follower).knock({})
        assert await Door(follower).knock({}, "rw") == "rw"

    simulate(scenario, snapshot_count=10, catch_up_entries=5)


def test_write_that_nobody_signed_is_refused_wherever_it_was_proposed() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        await set_up(leader)
        refusals: list[RequestError] = []
        for node in (leader, follower):  # the follower may not know yet that authentication is on
            with pytest.raises(RequestError) as caught:
                await node.put("k", "v")
            refusals.append(caught.value)
        assert [type(refusal) for refusal in refusals] == [UserEmptyError, UserEmptyError]
        assert leader.look("k") is None

    simulate(scenario)
