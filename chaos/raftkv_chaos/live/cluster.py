"""The nodes of a live run: processes behind relays, each with its folder, its clock and its disk.

folder/<name>/data      what the server keeps
folder/<name>/log       what it printed
folder/<name>/control   its clocks and its disk, where they can be steered (`preload`)
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from raftkv.client import Client
from raftkv.clock import Clock
from raftkv.errors import RaftKVError
from raftkv_chaos.live import power
from raftkv_chaos.live.errors import LiveError
from raftkv_chaos.live.namespaces import Namespaces
from raftkv_chaos.live.network import Links, Listening, Network
from raftkv_chaos.live.preload import Control, PreloadError, build
from raftkv_chaos.live.processes import Process
from raftkv_chaos.live.target import Target

READY_S = 60.0
POLL_S = 0.05


class Node:
    """One server."""

    def __init__(self, name: str, folder: Path, listening: Listening, control: Control | None) -> None:
        self.name = name
        self.folder = folder
        self.data = folder / "data"
        self.listening = listening
        self.control = control
        self.process: Process
        self.paused = False
        self.outside = False
        """Taken out of the cluster for the time being: its process is not missed."""

    @property
    def endpoint(self) -> str:
        """Where clients reach it."""
        return f"{self.listening.host}:{self.listening.client_relay}"

    @property
    def peer_url(self) -> str:
        """Where other nodes reach it."""
        return f"http://{self.listening.host}:{self.listening.peer_relay}"

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process.running

    def kill(self) -> None:
        """Ends the process with no warning, paused or not."""
        if self.running:
            self.process.kill()
        self.paused = False

    def pause(self) -> None:
        """Stops the process where it stands."""
        if self.running and not self.paused:
            self.process.pause()
            self.paused = True

    def resume(self) -> None:
        """Lets it go on."""
        if self.running and self.paused:
            self.process.resume()
        self.paused = False

    def lose_power(self, dice: Random) -> int:
        """Kills it, and takes from its disk what was not synced. Answers how many bytes."""
        self.kill()
        assert self.control is not None
        return power.fail(self.data, self.control.journal, dice)


class Cluster:
    """All nodes of a run."""

    def __init__(
        self, target: Target, folder: Path, *, size: int, clock: Clock, dice: Random, options: Sequence[str], namespaces: bool
    ) -> None:
        """Raises LiveError: there can be no network namespaces."""
        self.target = target
        folder.mkdir(parents=True)
        self.folder = folder
        self.clock = clock
        self.network: Links = Namespaces(dice) if namespaces else Network(dice, self._running)
        self.no_preload = "" if target.reached_by_preload else f"{target.name} is a Go program, which calls no C library"
        self._options = options
        self._library = self._build() if target.reached_by_preload else None
        self.nodes = [self._node(f"n{number}") for number in range(1, size + 1)]
        everyone = ",".join(f"{node.name}={node.peer_url}" for node in self.nodes)
        for node in self.nodes:
            self.equip(node, everyone, "new")

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def endpoints(self) -> list[str]:
        """Every node's."""
        return [node.endpoint for node in self.nodes]

    def equip(self, node: Node, cluster: str, state: str) -> None:
        """Gives a node the command line with which it is started from now on."""
        listening = node.listening
        options = {
            "name": node.name,
            "data-dir": str(node.data),
            "listen-client-urls": f"http://{listening.host}:{listening.client}",
            "advertise-client-urls": f"http://{node.endpoint}",
            "listen-peer-urls": f"http://{listening.host}:{listening.peer}",
            "initial-advertise-peer-urls": node.peer_url,
            "initial-cluster": cluster,
            "initial-cluster-state": state,
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        command = [*self.network.command(node.name), *self.target.program, *flags, *self.target.options, *self._options]
        environment = None if node.control is None else node.control.environment
        node.process = Process(f"{self.target.name} {node.name}", command, log=node.folder / "log", environment=environment)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Starts relays and nodes, and waits until each answers a linearizable read.

        Raises:
            LiveError: one does not, in time.
        """
        for node in self.nodes:
            at = node.listening
            peer, client = (at.peer_relay, at.peer), (at.client_relay, at.client)
            await self.network.stand_before(node.name, peer=peer, client=client, tasks=tasks)
            node.process.start()
        for node in self.nodes:
            if not await self.answers_within(node, READY_S):
                raise LiveError(f"{node.name} does not come up:\n{node.process.log_tail(20)}")

    async def answers_within(self, node: Node, seconds: float) -> bool:
        """Waits until a node answers a linearizable read, or the time is up, or its process ends."""
        deadline = self.clock.now() + seconds
        async with Client(node.endpoint, timeout=1.0, dial_timeout=0.5) as client:
            while self.clock.now() < deadline and node.running:
                try:
                    await client.range(b"\0", limit=1, keys_only=True)
                except RaftKVError:
                    await asyncio.sleep(POLL_S)
                else:
                    return True
        return False

    def revive(self, nodes: "Sequence[Node] | None" = None) -> None:
        """Starts those of the nodes (of all) that are down and belong to the cluster, and wakes those that are paused."""
        for node in self.nodes if nodes is None else nodes:
            node.resume()
            if not node.running and not node.outside:
                node.process.start()

    async def leader(self) -> Node | None:
        """The node that says of itself that it leads, the newest term counting; None where nobody does."""
        found: list[tuple[int, Node]] = []
        for node in self.nodes:
            if not node.running or node.paused:
                continue
            async with Client(node.endpoint, timeout=0.3, dial_timeout=0.3, wait_for_ready=False) as client:
                try:
                    status = await client.status(node.endpoint)
                except RaftKVError:
                    continue
            if status.leader == status.header.member_id:
                found.append((status.raftTerm, node))
        return max(found, key=lambda item: item[0])[1] if found else None

    def stop(self) -> None:
        """Ends every process that was started here."""
        for node in self.nodes:
            node.process.end()
        self.network.stop()

    def delete_data(self) -> None:
        """What the servers kept goes; their logs stay."""
        for node in self.nodes:
            shutil.rmtree(node.data, ignore_errors=True)

    def _node(self, name: str) -> Node:
        folder = self.folder / name
        folder.mkdir(parents=True)
        listening = self.network.listening(name)
        control = None
        if self._library is not None:
            control = Control(self._library, folder=folder, data=folder / "data", clock=self.clock)
        return Node(name, folder, listening, control)

    def _build(self) -> Path | None:
        try:
            return build(self.folder)
        except PreloadError as error:
            self.no_preload = str(error)
            return None

    def _running(self) -> Mapping[str, int]:
        return {node.name: node.process.pid for node in self.nodes if node.running}
