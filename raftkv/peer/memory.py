"""The network's in-memory twin: nodes of one process, on one event loop. Every message crosses the codec, as on the wire."""

from collections.abc import AsyncIterator, Iterable, Mapping

from raftkv.errors import PeerError
from raftkv.peer.codec import decode, encode
from raftkv.peer.peers import Receiver
from raftkv.raft.messages import InstallSnapshot, Message


class MemoryNetwork:
    """Connects the replicas of one process and can cut them apart."""

    def __init__(self) -> None:
        self._receivers: dict[int, Receiver] = {}
        self._cut: set[tuple[int, int]] = set()
        self._queue: list[bytes] = []
        self._targets: list[tuple[int, int]] = []

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

    def heal(self) -> None:
        """Ends all cuts."""
        self._cut.clear()

    def post(self, message: Message) -> bool:
        """Takes a message for delivery by `deliver`; False if its way is cut or nobody is there."""
        way = (message.source, message.target)
        if way in self._cut or message.target not in self._receivers:
            return False
        self._queue.append(encode(message))
        self._targets.append(way)
        return True

    def deliver(self) -> int:
        """Delivers all that is under way and returns how many messages that were."""
        queue, targets = self._queue, self._targets
        self._queue, self._targets = [], []
        for way, frame in zip(targets, queue, strict=True):
            receiver = self._receivers.get(way[1])
            if receiver is not None and way not in self._cut:
                receiver.receive(decode(frame))
        return len(queue)

    async def stream(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """Carries a snapshot at once."""
        receiver = self._receivers.get(message.target)
        if receiver is None or (message.source, message.target) in self._cut:
            raise PeerError(f"node {message.target:x} cannot be reached")
        await receiver.receive_snapshot(message, frames)


class MemoryPeers:
    """One node's end of a MemoryNetwork."""

    def __init__(self, network: MemoryNetwork, node_id: int) -> None:
        self._network = network
        self._node_id = node_id

    def send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._network.post(message)

    async def send_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        await self._network.stream(message, frames)

    def set_members(self, addresses: Mapping[int, str]) -> None:
        """All nodes of the process are reachable by their ids alone."""
