"""`raftkv dev`: a cluster on this machine, each node a process of its own, started again when it dies.

The nodes' data stays in the data directory, so the next `raftkv dev` goes on where this one stopped.
"""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from dataclasses import dataclass
from pathlib import Path

import click

from raftkv.client import Client
from raftkv.errors import RaftKVError
from raftkv_cli.command import Command

FIRST_PORT = 2379
USUAL_DISTANCE = 10_000
"""Without --base-port the client ports are 2379, 22379, 32379, ..., as in etcd's own examples."""
MAX_NODES = 5
RESTART_S = 1.0
LOOK_S = 0.5
STOP_S = 8.0
"""What a node may take to stop before it is killed."""


@dataclass(frozen=True, slots=True)
class Node:
    """One process of the cluster."""

    name: str
    client_port: int
    peer_port: int

    @property
    def endpoint(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.client_port}"

    @property
    def peer_url(self) -> str:
        """Where the other nodes find it."""
        return f"http://127.0.0.1:{self.peer_port}"


def layout(count: int, base_port: int | None) -> list[Node]:
    """The nodes n1, n2, ... and their ports: etcd's usual ones, or adjacent ones from `base_port` on."""
    if base_port is not None:
        return [Node(f"n{i + 1}", base_port + 2 * i, base_port + 2 * i + 1) for i in range(count)]
    firsts = [FIRST_PORT, *(FIRST_PORT + USUAL_DISTANCE * (i + 1) for i in range(1, count))]
    return [Node(f"n{i + 1}", port, port + 1) for i, port in enumerate(firsts)]


def command_line(node: Node, nodes: list[Node], data_dir: Path) -> list[str]:
    """How one node is started."""
    return [
        *(sys.executable, "-m", "raftkv_cli.main", "serve", "--name", node.name, "--data-dir", str(data_dir / node.name)),
        *("--listen-client-urls", f"http://{node.endpoint}", "--listen-peer-urls", node.peer_url),
        *("--initial-cluster", ",".join(f"{other.name}={other.peer_url}" for other in nodes)),
        *("--initial-cluster-token", "raftkv-dev", "--log-level", "warn"),
    ]


class DevCluster:
    """The node processes, and who among them leads."""

    def __init__(self, nodes: list[Node], data_dir: Path) -> None:
        self._nodes = nodes
        self._data_dir = data_dir
        self._processes: dict[str, Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keeps the nodes alive until a signal asks to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        async with asyncio.TaskGroup() as tasks:
            keepers = [tasks.create_task(self._keep_alive(node)) for node in self._nodes]
            tasks.create_task(self._show_leader())
            await self._stopping.wait()
            click.echo("stopping ...")
            self._signal_all(signal.SIGTERM)
            _, late = await asyncio.wait(keepers, timeout=STOP_S)
            if late:
                click.echo("some nodes do not stop, killing them")
                self._signal_all(signal.SIGKILL)

    async def _keep_alive(self, node: Node) -> None:
        arguments = command_line(node, self._nodes, self._data_dir)
        while not self._stopping.is_set():
            # In a session of its own: Ctrl-C is for this process, which then ends the nodes in order.
            process = await asyncio.create_subprocess_exec(*arguments, stdout=PIPE, stderr=STDOUT, start_new_session=True)
            self._processes[node.name] = process
            if self._stopping.is_set():  # asked to stop while the process was being started
                process.terminate()
            click.echo(f"{node.name} | process {process.pid} serves clients at {node.endpoint}")
            assert process.stdout is not None
            await _copy(node.name, process.stdout)
            code = await process.wait()
            if not self._stopping.is_set():
                click.echo(f"{node.name} | ended ({_meaning(code)}), starting it again")
                await self._pause(RESTART_S)

    def _signal_all(self, number: int) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _show_leader(self) -> None:
        known = ""
        async with Client([node.endpoint for node in self._nodes]) as client:
            while not self._stopping.is_set():
                leader = await _leader(client, self._nodes)
                if leader != known:
                    click.echo(f"leader | {leader or 'none'}")
                    known = leader
                await self._pause(LOOK_S)

    async def _pause(self, seconds: float) -> None:
        """Sleeps, but not through the end."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


async def _copy(name: str, lines: asyncio.StreamReader) -> None:
    async for line in lines:
        click.echo(f"{name} | {line.decode(errors='replace').rstrip()}")


def _meaning(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _leader(client: Client, nodes: list[Node]) -> str:
    """The name of the node that takes itself for the leader, or nothing."""
    for node in nodes:
        try:
            status = await client.status(node.endpoint, timeout=LOOK_S)
        except RaftKVError:
            continue
        if status.leader == status.header.member_id:
            return node.name
    return ""


@click.command(
    cls=Command,
    examples="""
    raftkv dev
    raftkv dev --nodes 5 --base-port 4000 --data-dir /tmp/cluster
    """,
)
@click.option("--nodes", "count", type=click.IntRange(1, MAX_NODES), default=3, show_default=True, help="How many nodes.")
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    help="First of the ports, two for each node. Default: clients at 2379, 22379, 32379, ..., peers one above.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dev-data"),
    show_default=True,
    help="Where the nodes' data lies; it is kept.",
)
def dev(count: int, base_port: int | None, data_dir: Path) -> None:
    """Run a small cluster on this machine."""
    nodes = layout(count, base_port)
    click.echo(f"{count} nodes, data in {data_dir}. Stop with Ctrl-C. Try, in another terminal:")
    click.echo(f"  raftkv --endpoints {','.join(node.endpoint for node in nodes)} status -w table")
    asyncio.run(DevCluster(nodes, data_dir).run())
