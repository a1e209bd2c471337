"""The network between nodes, and between clients and nodes: a wire for each direction, relays in front of every server.

    node a ──► relay of b's peer port ──► node b          clients ──► relay of b's client port ──► node b
               wires a>b and b>a                                      wires clients>b and b>clients

Nodes and clients are only told the relays' ports. Which node dials a peer relay is found out in `sources`.

`Links` is what the rest of a run knows of all this; `namespaces` has them by packet.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from raftkv_chaos.live.ports import Ports
from raftkv_chaos.live.relay import Relay, Wires
from raftkv_chaos.live.sources import source_of
from raftkv_chaos.live.wire import CLEAR, Weather, Wire

CLIENTS = "clients"
"""The end at which all clients are."""
STRANGER = "stranger"
"""Whoever dialled and is no node that runs: its wires are always clear."""


HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a node listens, and where its relays do: the latter is what anybody is told."""

    host: str
    client: int
    peer: int
    client_relay: int
    peer_relay: int


class Links(Protocol):
    """What lies between nodes, and between clients and nodes; each direction can be made bad by itself."""

    def listening(self, node: str) -> Listening:
        """Where a new node is to listen."""
        ...

    def command(self, node: str) -> Sequence[str]:
        """What a node's command line begins with."""
        ...

    async def stand_before(
        self, node: str, *, peer: tuple[int, int], client: tuple[int, int], tasks: asyncio.TaskGroup
    ) -> None:
        """Carries what goes to a node; each pair is the port that others are told, and the one that the node listens at."""
        ...

    def become(self, source: str, target: str, weather: Weather) -> None:
        """Changes one direction."""
        ...

    def clear(self, ends: Iterable[tuple[str, str]]) -> None:
        """Clears some directions."""
        ...

    def clear_all(self) -> None:
        """Clears every direction."""
        ...

    def break_connections(self, source: str, target: str) -> None:
        """Breaks what is open over one direction."""
        ...

    def stop(self) -> None:
        """Ends it all."""
        ...


class Network:
    """All wires and relays. `processes` answers which process each running node is."""

    def __init__(self, dice: Random, processes: Callable[[], Mapping[str, int]]) -> None:
        self._dice = dice
        self._processes = processes
        self._wires: dict[tuple[str, str], Wire] = {}
        self._relays: list[Relay] = []
        self._ports = Ports()

    def listening(self, node: str) -> Listening:  # noqa: ARG002  (all are alike)
        """Ports of this machine that nobody else takes."""
        return Listening(HOST, *(self._ports.take() for _ in range(4)))

    def command(self, node: str) -> Sequence[str]:  # noqa: ARG002  (as above)
        """Nodes are processes like any other."""
        return ()

    def wire(self, source: str, target: str) -> Wire:
        """The direction from one end to another."""
        key = (source, target)
        if key not in self._wires:
            self._wires[key] = Wire(self._dice)
        return self._wires[key]

    async def stand_before(
        self, node: str, *, peer: tuple[int, int], client: tuple[int, int], tasks: asyncio.TaskGroup
    ) -> None:
        """Relays for one node; each pair is the port that others are told, and the one that the node listens at."""
        for (port, target), from_clients in ((peer, False), (client, True)):
            relay = Relay(port, target, self._choice(node, from_clients=from_clients), tasks)
            await relay.start()
            self._relays.append(relay)

    def become(self, source: str, target: str, weather: Weather) -> None:
        """Changes one direction."""
        self.wire(source, target).become(weather)

    def clear(self, ends: Iterable[tuple[str, str]]) -> None:
        """Clears some directions."""
        for source, target in ends:
            self.become(source, target, CLEAR)

    def clear_all(self) -> None:
        """Clears every direction."""
        for wire in self._wires.values():
            wire.become(CLEAR)

    def break_connections(self, source: str, target: str) -> None:
        """Breaks what is open over one direction, as a firewall does that forgets."""
        wire = self.wire(source, target)
        for relay in self._relays:
            relay.break_all(wire)

    def stop(self) -> None:
        """Ends all relays."""
        self.clear_all()
        for relay in self._relays:
            relay.stop()
        self._ports.release()

    def _choice(self, node: str, *, from_clients: bool) -> Callable[[int], Wires]:
        def choose(port: int) -> Wires:
            source = CLIENTS if from_clients else source_of(port, self._processes()) or STRANGER
            return self.wire(source, node), self.wire(node, source)

        return choose
