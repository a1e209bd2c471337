"""Tells the cluster what only the node itself knows: its name and the URLs at which it serves clients."""

import asyncio
from contextlib import suppress

from raftkv.apply.command import SET_MEMBER, body
from raftkv.errors import RequestError
from raftkv.pb.command import SetMember
from raftkv.pb.rpc import Member
from raftkv.server.replica import Replica

RETRY_S = 0.5


async def publish(replica: Replica, name: str, client_urls: list[str]) -> None:
    """Proposes them until the members table has them; returns at once where it does."""
    node_id = replica.settings.node_id
    while (known := replica.members.get(node_id)) is not None:
        if known.name == name and list(known.clientURLs) == client_urls:
            return
        wanted = Member()
        wanted.CopyFrom(known)
        wanted.name = name
        wanted.clientURLs[:] = client_urls
        with suppress(RequestError):
            await replica.propose(body(SET_MEMBER, SetMember(member=wanted).SerializeToString()))
        await asyncio.sleep(RETRY_S)
