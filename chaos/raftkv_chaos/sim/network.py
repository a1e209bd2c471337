"""The network between nodes: messages take their time, and may be lost, repeated, held up, or overtake each other.

On a link in fair weather messages arrive in order, as on one connection. In bad weather each has a delay of its own, as over
connections that break and are made anew; Raft promises to need no order. Every message crosses the codec.

Between clients and nodes a link that is cut loses nothing: what was on its way arrives when it is mended, as TCP has it, maybe long after
its sender has given up.

Forwarded proposals are never repeated: a proposal is no part of Raft's protocol, which makes repetition harmless, and TCP repeats
nothing (raftkv.peer.peers: each message is sent or dropped).
"""

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from struct import Struct
from typing import Any, Protocol

from raftkv.errors import PeerError, RaftKVError, StorageError
from raftkv.peer.asks import ASKS
from raftkv.peer.codec import PeerMessage, decode, encode
from raftkv.raft.messages import InstallSnapshot, Message, Propose
from raftkv.server.replica import Replica
from raftkv_chaos.faults import Link, Weather
from raftkv_chaos.sim.machine_time import MachineTime

REACH_S = (0.0002, 0.002)
"""How long a message takes in fair weather."""
BREAKS_AFTER_S = 5.0
"""A stream over a link that is cut breaks after so long."""
LOOK_S = 0.1
_moment = Struct("<dqq")
INSTANT_S = 1e-9
"""What comes later on one connection is later by so much: timers of the same moment have no order."""


class Station(Protocol):
    """A node that runs, as the network sees it."""

    number: int
    replica: Replica
    time: MachineTime

    @property
    def tasks(self) -> asyncio.TaskGroup:
        """They end with it."""
        ...

    def reached(self, point: str) -> None:
        """A place at which it may be made to end."""
        ...

    def sending(self, message: Message) -> None:
        """A message of Raft is about to leave."""
        ...


class SimNetwork:
    """All links. Nodes are known by their member ids; faults are told by numbers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: random.Random) -> None:
        self._loop = loop
        self._dice = dice
        self._stations: dict[int, Station] = {}
        self.numbers: dict[int, int] = {}
        """Member id -> number."""
        self._cuts: dict[Link, int] = {}
        self._clogs: dict[Link, int] = {}
        self._weathers: list[tuple[frozenset[Link], Weather]] = []
        self._waiting: dict[Link, list[tuple[int, bytes]]] = {}
        self._held: dict[Link, list[tuple[Callable[..., object], tuple[Any, ...]]]] = {}
        """Between clients and nodes: what is to happen when the link is mended."""
        self._last: dict[Link, float] = {}
        self._removed: dict[int, frozenset[int]] = {}
        self.trace = 0
        """A checksum of everything that ever arrived, and when."""
        self.delivered = 0

    # --- stations --------------------------------------------------------------------------------------------------

    def join(self, member_id: int, station: Station) -> "SimPeers":
        """A node starts."""
        self._stations[member_id] = station
        self.numbers[member_id] = station.number
        return SimPeers(self, member_id, station)

    def leave(self, member_id: int, *, told: bool) -> None:
        """It ends; `told`: the others see its connections close."""
        self._stations.pop(member_id, None)
        for station in self._stations.values() if told else ():
            if (self.numbers[member_id], station.number) not in self._cuts:
                station.time.call_soon(station.replica.peer_lost, member_id)

    # --- faults ----------------------------------------------------------------------------------------------------

    def cut(self, links: Iterable[Link]) -> None:
        """What is sent there is lost."""
        for link in links:
            self._cuts[link] = self._cuts.get(link, 0) + 1

    def mend(self, links: Iterable[Link]) -> None:
        """Ends a `cut`."""
        _less(self._cuts, links)
        self._release()

    def clog(self, links: Iterable[Link]) -> None:
        """What is sent there waits."""
        for link in links:
            self._clogs[link] = self._clogs.get(link, 0) + 1

    def unclog(self, links: Iterable[Link]) -> None:
        """Ends a `clog`: all that waited arrives."""
        links = list(links)
        _less(self._clogs, links)
        for link in links:
            if link not in self._clogs:
                for target, frame in self._waiting.pop(link, ()):
                    self._loop.call_later(self._reach(), self._arrive, link, target, frame)

    def become(self, links: frozenset[Link], weather: Weather) -> None:
        """Weather on some links; none: all of them."""
        self._weathers.append((links, weather))

    def clear_up(self, weather: Weather) -> None:
        """Ends a `become`."""
        self._weathers = [each for each in self._weathers if each[1] is not weather]

    def heal(self) -> None:
        """Ends everything."""
        self._cuts.clear()
        self._release()
        self._weathers.clear()
        self.unclog(list(self._clogs) * 10)

    # --- clients ---------------------------------------------------------------------------------------------------

    def is_cut(self, link: Link) -> bool:
        """Whether nothing passes there."""
        return link in self._cuts

    def let_pass(self, link: Link, arrive: Callable[..., object], *args: Any) -> None:
        """Something has come over a link between clients and a node; or it will, once the link is mended."""
        if link in self._cuts:
            self._held.setdefault(link, []).append((arrive, args))
        else:
            arrive(*args)

    def _release(self) -> None:
        for link in [link for link in self._held if link not in self._cuts]:
            for arrive, args in self._held.pop(link):
                self._loop.call_soon(arrive, *args)

    # --- messages --------------------------------------------------------------------------------------------------

    def post(self, message: PeerMessage) -> None:
        """Sends a message, or not."""
        target = message.target
        station = self._stations.get(target)
        if station is None:
            self._unreachable(message)
            return
        link = (self.numbers[message.source], station.number)
        if link in self._cuts:
            return
        frame = encode(message)
        if link in self._clogs:
            self._waiting.setdefault(link, []).append((target, frame))
            return
        for weather in self._over(link):
            if self._dice.random() < weather.loss:
                return
        self._carry(link, target, frame)
        if isinstance(message, Propose):
            return
        for weather in self._over(link):
            if self._dice.random() < weather.duplication:
                self._carry(link, target, frame)

    def _unreachable(self, message: PeerMessage) -> None:
        sender = self._stations.get(message.source)
        if sender is not None:
            sender.time.call_soon(sender.replica.peer_unreachable, message.target)

    def _over(self, link: Link) -> list[Weather]:
        if not self._weathers:
            return []
        return [weather for links, weather in self._weathers if not links or link in links]

    def _carry(self, link: Link, target: int, frame: bytes) -> None:
        arrival = self._loop.time() + self._reach()
        weathers = self._over(link)
        if weathers:
            for weather in weathers:
                arrival += weather.delay_s + weather.jitter_s * self._dice.random()
        else:
            arrival = max(arrival, self._last.get(link, 0.0) + INSTANT_S)
            self._last[link] = arrival
        self._loop.call_at(arrival, self._arrive, link, target, frame)

    def _reach(self) -> float:
        return self._dice.uniform(*REACH_S)

    def _arrive(self, link: Link, target: int, frame: bytes) -> None:
        station = self._stations.get(target)
        if station is None or link in self._cuts:
            return
        self.trace = zlib.crc32(frame, zlib.crc32(_moment.pack(self._loop.time(), *link), self.trace))
        self.delivered += 1
        station.time.call_soon(self._deliver, station, frame)

    def _deliver(self, station: Station, frame: bytes) -> None:
        message = decode(frame)
        if message.source in self._removed.get(message.target, ()):
            self._expel(message.source)
        elif isinstance(message, ASKS):
            station.replica.ask_arrived(message)
        else:
            station.replica.receive(message)

    # --- removed members -------------------------------------------------------------------------------------------

    def set_removed(self, member_id: int, removed: Collection[int]) -> None:
        """A node knows these to be removed, and tells them so."""
        self._removed[member_id] = frozenset(removed)

    def _expel(self, member_id: int) -> None:
        station = self._stations.get(member_id)
        if station is not None:
            station.time.call_soon(station.replica.expelled)

    # --- snapshots -------------------------------------------------------------------------------------------------

    async def stream(self, message: InstallSnapshot, frames: AsyncGenerator[bytes, None]) -> None:
        """Carries a snapshot."""
        await asyncio.sleep(self._reach())
        station = self._stations.get(message.target)
        link = (self.numbers[message.source], self.numbers.get(message.target, 0))
        if station is None or link in self._cuts:
            raise PeerError(f"node {message.target:x} cannot be reached")
        arrival = station.tasks.create_task(self._receive(station, message, self._carried(link, frames)))
        try:
            await asyncio.wait([arrival])
        except asyncio.CancelledError:
            arrival.cancel()
            await asyncio.wait([arrival])
            raise
        if arrival.cancelled() or (error := arrival.result()) is not None:
            raise PeerError("the connection broke" if arrival.cancelled() else str(error))

    @staticmethod
    async def _receive(station: Station, message: InstallSnapshot, carried: AsyncGenerator[bytes, None]) -> RaftKVError | None:
        """What became of it is the sender's to know."""
        async with aclosing(carried):
            try:
                await station.replica.receive_snapshot(message, carried)
            except (PeerError, StorageError) as error:
                return error
        return None

    async def _carried(self, link: Link, frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(frames):
            async for frame in frames:
                await self._wait_for_way(link)
                yield frame

    async def _wait_for_way(self, link: Link) -> None:
        await asyncio.sleep(self._reach())
        silent_s = 0.0
        while link in self._cuts or link in self._clogs:
            await asyncio.sleep(LOOK_S)
            silent_s += LOOK_S
            if silent_s >= BREAKS_AFTER_S:
                raise PeerError("the connection is silent")


def _less(counts: dict[Link, int], links: Iterable[Link]) -> None:
    for link in links:
        counts[link] = counts.get(link, 0) - 1
        if counts[link] <= 0:
            del counts[link]


class SimPeers:
    """One node's end of the network."""

    def __init__(self, network: SimNetwork, member_id: int, station: Station) -> None:
        self._network = network
        self._member_id = member_id
        self._station = station

    def send(self, messages: Iterable[PeerMessage]) -> None:
        station = self._station
        station.reached("raftBeforeLeaderSend" if station.replica.is_leader else "raftBeforeFollowerSend")
        for message in messages:
            if not isinstance(message, ASKS):
                station.sending(message)
            self._network.post(message)

    async def send_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        self._station.reached("raftBeforeSaveSnap")
        assert isinstance(frames, AsyncGenerator), "they can be closed"
        await self._network.stream(message, frames)

    def set_members(self, addresses: Mapping[int, str]) -> None:  # noqa: ARG002 (nobody is dialled)
        """Nothing to dial. This is told at every start, and when a change of the members is applied."""
        self._station.reached("beforeApplyOneConfChange")

    def set_removed(self, node_ids: Collection[int]) -> None:
        self._network.set_removed(self._member_id, node_ids)
