"""The network's in-memory twin: nodes of one process, on one event loop. Every message crosses the codec, as on the wire."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Collection, Iterable, Mapping

from raftkv.errors import PeerError
from raftkv.peer.asks import ASKS
from raftkv.peer.codec import PeerMessage, decode, encode
from raftkv.peer.peers import Receiver
from raftkv.raft.messages import InstallSnapshot


class MemoryNetwork:
    """Connects the replicas of one process, and can cut them apart. What is sent arrives in the loop's next turn, in order."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._receivers: dict[int, Receiver] = {}
        self._cut: set[tuple[int, int]] = set()
        self._expelled: dict[int, frozenset[int]] = {}

    def join(self, node_id: int, receiver: Receiver) -> "MemoryPeers":
        """Connects a replica; it replaces an earlier one of that id."""
        self._receivers[node_id] = receiver
        return MemoryPeers(self, node_id)

    def leave(self, node_id: int) -> None:
        """The process of that node ends: the others see their connections close."""
        self._receivers.pop(node_id, None)
        for receiver in self._receivers.values():
            receiver.peer_lost(node_id)

    def cut(self, source: int, target: int) -> None:
        """Drops what `source` sends to `target` from now on (one direction)."""
        self._cut.add((source, target))

    def isolate(self, node_id: int) -> None:
        """Drops everything from and to a node."""
        for other in self._receivers:
            self._cut |= {(node_id, other), (other, node_id)}

    def expel(self, node_id: int, removed: Collection[int]) -> None:
        """A node knows these to be removed: it answers whatever they say with that."""
        self._expelled[node_id] = frozenset(removed)

    def heal(self) -> None:
        """Ends all cuts."""
        self._cut.clear()

    def unreachable(self, message: PeerMessage) -> None:
        """What was not sent: its sender hears of it where nobody is there, but not where the way is cut."""
        if message.target not in self._receivers and (sender := self._receivers.get(message.source)) is not None:
            sender.peer_unreachable(message.target)

    def post(self, message: PeerMessage) -> bool:
        """Sends a message; False if its way is cut or nobody is there."""
        if self._way(message) is None:
            return False
        self._loop.call_soon(self._deliver, encode(message))
        return True

    def _deliver(self, frame: bytes) -> None:
        message = decode(frame)
        if (receiver := self._way(message)) is None:
            return
        if message.source in self._expelled.get(message.target, ()):
            if (sender := self._receivers.get(message.source)) is not None:
                sender.expelled()
        elif isinstance(message, ASKS):
            receiver.ask_arrived(message)
        else:
            receiver.receive(message)

    async def stream(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """Carries a snapshot."""
        receiver = self._way(message)
        if receiver is None:
            raise PeerError(f"node {message.target:x} cannot be reached")
        await receiver.receive_snapshot(message, frames)

    def _way(self, message: PeerMessage) -> Receiver | None:
        if (message.source, message.target) in self._cut:
            return None
        return self._receivers.get(message.target)


class MemoryPeers:
    """One node's end of a MemoryNetwork. All nodes of the process are reachable by their ids alone."""

    def __init__(self, network: MemoryNetwork, node_id: int) -> None:
        self._network = network
        self._node_id = node_id

    def send(self, messages: Iterable[PeerMessage]) -> None:
        for message in messages:
            if not self._network.post(message):
                self._network.unreachable(message)

    async def send_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        await self._network.stream(message, frames)

    def set_members(self, addresses: Mapping[int, str]) -> None:
        """Nothing to dial."""

    def set_removed(self, node_ids: Collection[int]) -> None:
        self._network.expel(self._node_id, node_ids)
