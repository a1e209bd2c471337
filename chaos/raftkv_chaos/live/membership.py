"""A member is removed and a new one takes its place, as an operator replaces a machine: through a learner, with an empty disk."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import TypeVar

from raftkv.client import Client
from raftkv.client.method import MEMBER_ADD, MEMBER_PROMOTE, MEMBER_REMOVE
from raftkv.errors import RaftKVError
from raftkv.pb import rpc
from raftkv_chaos.live.cluster import Cluster, Node

AGAIN_S = 0.3
Answer = TypeVar("Answer")


async def replace(cluster: Cluster, node: Node, client: Client, tell: Callable[[str], None]) -> None:
    """Takes a node out and puts a new one in its place; the caller bounds the time. `client` knows the other nodes."""
    old = await _member(client, node)
    node.outside = True
    if old is not None:
        await _until_done(lambda: _removed(client, node, old))
    node.kill()
    shutil.rmtree(node.data, ignore_errors=True)
    new = await _until_done(lambda: _added(client, node))
    members = (await _until_done(lambda: client.members(linearizable=False))).members
    named = [f"{member.name or node.name}={url}" for member in members for url in member.peerURLs]
    cluster.equip(node, ",".join(named), "existing")
    node.process.start()
    node.outside = False
    await _until_done(lambda: _promoted(client, new))
    tell(f"member {node.name} replaced")


async def _until_done(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeats until it is done: members change one at a time, and only in a cluster that is well."""
    while True:
        try:
            return await act()
        except RaftKVError:
            await asyncio.sleep(AGAIN_S)


async def _member(client: Client, node: Node) -> int | None:
    """The id of the member at a node's place."""
    members = (await _until_done(client.members)).members
    return next((member.ID for member in members if node.peer_url in member.peerURLs), None)


async def _removed(client: Client, node: Node, old: int) -> None:
    try:
        await client.call(MEMBER_REMOVE, rpc.MemberRemoveRequest(ID=old))
    except RaftKVError:
        if await _member(client, node) is not None:  # else an earlier attempt was done without an answer
            raise


async def _added(client: Client, node: Node) -> int:
    try:
        added = await client.call(MEMBER_ADD, rpc.MemberAddRequest(peerURLs=[node.peer_url], isLearner=True))
    except RaftKVError:
        there = await _member(client, node)
        if there is None:
            raise
        return there
    return added.member.ID


async def _promoted(client: Client, new: int) -> None:
    try:
        await client.call(MEMBER_PROMOTE, rpc.MemberPromoteRequest(ID=new))
    except RaftKVError:
        members = (await client.members()).members
        if any(new == member.ID and member.isLearner for member in members):
            raise
