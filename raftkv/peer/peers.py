"""What a replica asks of the network between nodes, and what the network tells a replica.

Both run on the event loop's thread. Nothing here promises delivery or order beyond one connection: Raft needs neither.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Protocol

from raftkv.pb.rpc import Member
from raftkv.peer.asks import Ask, AskReply
from raftkv.peer.codec import PeerMessage
from raftkv.raft.messages import InstallSnapshot, Message


class Receiver(Protocol):
    """A replica, as the network sees it."""

    def receive(self, message: Message) -> None:
        """A message of Raft from another node."""
        ...

    def ask_arrived(self, message: Ask | AskReply) -> None:
        """A question from another node, or its answer to one."""
        ...

    def peer_lost(self, node_id: int) -> None:
        """A connection with that node was closed from its side: its process may have ended."""
        ...

    def peer_unreachable(self, node_id: int) -> None:
        """Messages to that node are being dropped."""
        ...

    def expelled(self) -> None:
        """A member refuses this node, for it was removed from the cluster."""
        ...

    def roster(self) -> tuple[Iterable[Member], Iterable[int]]:
        """The members, and who was removed: for a node that is about to join."""
        ...

    async def receive_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """A snapshot's rows (encoded SnapshotRows) that go with `message`; returns when they are installed.

        Raises:
            PeerError: they are not a whole, correct snapshot, or none is wanted.
        """
        ...


class Peers(Protocol):
    """The other nodes, as a replica sees them."""

    def send(self, messages: Iterable[PeerMessage]) -> None:
        """Sends or drops each message; never blocks. All messages to one node leave in one write."""
        ...

    async def send_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """Streams a snapshot to `message.target` and returns when it is installed there.

        Raises:
            PeerError: the target cannot be reached or did not install it.
        """
        ...

    def set_members(self, addresses: Mapping[int, str]) -> None:
        """Who the other nodes are and where: node id -> URL, http or https. Connections to others are closed."""
        ...

    def set_removed(self, node_ids: Collection[int]) -> None:
        """Who was removed from the cluster: they are refused, and told why."""
        ...
