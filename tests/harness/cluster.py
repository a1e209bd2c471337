"""One or more server processes that form a cluster: the same interface over etcd and raftkv.

Both take etcd's flags, so a target (`etcd.py`, `raftkv.py`) says only which program to run and which options it wants.
Nothing here sleeps: a cluster is ready when every node answers a linearizable read.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from raftkv.clock import SystemClock
from raftkv.pb import rpc
from tests.harness.calls import Caller, Failure
from tests.harness.ports import Ports
from tests.harness.processes import Process

READY_TIMEOUT_S = 30.0
POLL_S = 0.02
CLOCK = SystemClock()


class NotReadyError(Exception):
    """A cluster did not reach the awaited state in time; the ends of the logs are the message."""


class Node:
    """One server: its process, its addresses and a caller to it."""

    def __init__(self, name: str, *, directory: Path, client_port: int, peer_port: int) -> None:
        self.name = name
        self.data = directory / name
        self.log = directory / f"{name}.log"
        self.endpoint = f"127.0.0.1:{client_port}"
        self.peer_url = f"http://127.0.0.1:{peer_port}"
        self.caller = Caller(self.endpoint)
        self.process: Process

    @property
    def client_url(self) -> str:
        """The endpoint as etcd's flags want it."""
        return f"http://{self.endpoint}"

    def start(self) -> None:
        """Starts the process, again or for the first time; it is not ready when this returns."""
        self.process.start()

    def kill(self) -> None:
        """Kills the process with no warning."""
        self.process.kill()

    def status(self, *, timeout_s: float = 2.0) -> rpc.StatusResponse | None:
        """What the node says about itself, or None when it does not answer."""
        answer = self.caller.call(rpc.StatusRequest(), timeout_s=timeout_s, wait=False)
        return None if isinstance(answer, Failure) else answer

    def answers(self) -> bool:
        """Whether the node answers a linearizable read: it is up and knows a leader."""
        read = rpc.RangeRequest(key=b"\x00", range_end=b"\x00", limit=1, keys_only=True)
        return not isinstance(self.caller.call(read, timeout_s=1.0), Failure)


class Cluster:
    """Nodes on 127.0.0.1; a context manager that starts them, waits until they are ready, and ends them."""

    target: ClassVar[str] = ""
    program: ClassVar[Sequence[str]] = ()
    default_options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, directory: Path, *, size: int = 1, options: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._ports = Ports()
        self._options = {**self.default_options, **(options or {})}
        self.nodes = [self._node(number, directory) for number in range(1, size + 1)]
        for node in self.nodes:
            node.process = Process(f"{self.target} {node.name}", self._command(node), log=node.log)

    @property
    def endpoints(self) -> list[str]:
        """`host:port` of every node's client port."""
        return [node.endpoint for node in self.nodes]

    def start(self) -> None:
        """Starts every node and waits until each is ready."""
        for node in self.nodes:
            node.start()
        self.wait_ready()

    def wait_ready(self, nodes: Sequence[Node] | None = None, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Waits until each of the nodes (all, if not said) answers a linearizable read."""
        for node in nodes or self.nodes:
            self.wait_until(node.answers, f"{node.name} answers", watched=node, timeout_s=timeout_s)

    def wait_until(
        self, reached: Callable[[], bool], what: str, *, watched: Node | None = None, timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Asks until it is so; `watched` is the node whose end would make waiting useless."""
        node = watched or next(node for node in self.nodes if node.process.running)
        deadline = CLOCK.now() + timeout_s
        while not reached():
            if CLOCK.now() > deadline:
                raise NotReadyError(f"{self.target}: not within {timeout_s} s: {what}\n{self.logs()}")
            if node.process.ended_within(POLL_S):
                node.process.check_running()

    def leader(self, *, timeout_s: float = READY_TIMEOUT_S) -> Node:
        """The node that leads, as soon as one says so of itself."""
        found: list[Node] = []

        def search() -> bool:
            found.extend(node for node in self.nodes if node.process.running and _leads(node))
            return bool(found)

        self.wait_until(search, "a node leads", timeout_s=timeout_s)
        return found[0]

    def stop(self) -> None:
        """Ends every process and deletes the data; the logs stay."""
        for node in self.nodes:
            node.process.end()
            node.caller.close()
            shutil.rmtree(node.data, ignore_errors=True)
        self._ports.release()

    def logs(self, lines: int = 40) -> str:
        """The ends of all nodes' logs."""
        return "\n".join(f"--- {self.target} {node.name}\n{node.process.log_tail(lines)}" for node in self.nodes)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _node(self, number: int, directory: Path) -> Node:
        name = f"node{number}"
        return Node(name, directory=directory, client_port=self._ports.take(), peer_port=self._ports.take())

    def _command(self, node: Node) -> list[str]:
        options = {
            "name": node.name,
            "data-dir": str(node.data),
            "listen-client-urls": node.client_url,
            "advertise-client-urls": node.client_url,
            "listen-peer-urls": node.peer_url,
            "initial-advertise-peer-urls": node.peer_url,
            "initial-cluster": ",".join(f"{other.name}={other.peer_url}" for other in self.nodes),
            "initial-cluster-state": "new",
            **self._options,
        }
        return [*self.program, *(f"--{name}={value}" for name, value in options.items())]


def _leads(node: Node) -> bool:
    status = node.status(timeout_s=1.0)
    return status is not None and status.leader != 0 and status.leader == status.header.member_id
