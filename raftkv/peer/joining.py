"""How a node without data finds out whom it joins: it asks the members that it was told of, at their peer URLs.

    newcomer                    member
    Hello (JOIN) ------------>
               <------------ Hello            its cluster and id, or why it will not talk
               <------------ Roster           who the members are

Members may lag behind, or not be up yet: they are asked again, for a while.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from raftkv.errors import ConfigError, PeerError
from raftkv.pb import raft as pb
from raftkv.pb.rpc import Member
from raftkv.peer.framing import pack
from raftkv.peer.tcp import PROTOCOL

ANSWER_TIMEOUT_S = 5.0
ROUNDS = 10
ROUND_PAUSE_S = 0.5
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Thousands of members; whoever sends more is no member of ours."""


@dataclass(frozen=True, slots=True)
class Found:
    """The cluster to join."""

    cluster_id: int
    members: list[Member]
    own: Member
    """Which of them the newcomer is."""


async def ask_to_join(
    urls: Sequence[str], tls: Callable[[], ssl.SSLContext] | None, choose: Callable[[Sequence[Member]], Member]
) -> Found:
    """Asks until a member answers with a cluster in which `choose` finds the newcomer.

    Raises:
        ConfigError: nobody answers, or `choose` raised this every time.
    """
    refusal: ConfigError | None = None
    silence = "names no other member"
    for _ in range(ROUNDS if urls else 0):
        for url in urls:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    cluster_id, members = await _ask(url, tls)
                return Found(cluster_id, members, choose(members))
            except ConfigError as error:
                refusal = error
            except (OSError, EOFError, DecodeError, PeerError) as error:  # TimeoutError is an OSError
                silence = f"{url}: {error or 'no answer'}"
        await asyncio.sleep(ROUND_PAUSE_S)
    raise refusal or ConfigError(f"--initial-cluster: there is nobody to join: {silence}")


async def _ask(url: str, tls: Callable[[], ssl.SSLContext] | None) -> tuple[int, list[Member]]:
    scheme, _, address = url.partition("://")
    host, _, port = address.rpartition(":")
    context = tls() if tls is not None and scheme == "https" else None
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    try:
        hello = pb.Hello(protocol=PROTOCOL, purpose=pb.Hello.JOIN)
        writer.write(pack([hello.SerializeToString()]))
        answer = pb.Hello.FromString(await _frame(reader))
        if answer.refusal:
            raise PeerError(answer.refusal)
        roster = pb.Roster.FromString(await _frame(reader))
    finally:
        writer.close()
    return answer.cluster_id, [Member.FromString(member) for member in roster.members]


async def _frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > MAX_ANSWER_BYTES:
        raise PeerError(f"announces an answer of {length} bytes")
    return await reader.readexactly(length)
