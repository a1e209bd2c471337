"""A rolling upgrade under load: every member is stopped and started with another version, and no write fails.

Writes carry request ids, as the client's do: one whose answer was lost with a leader is sent again, and is applied once.
"""

import asyncio
import os
import sys
import sysconfig
import urllib.request
from pathlib import Path

from raftkv.client import Client
from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

SCRIPT = Path(__file__).parents[2] / "deploy" / "rolling" / "rolling-restart"
NEXT_VERSION = Path(__file__).parents[1] / "cli" / "faulty_server.py"
WRITERS = 8


class Load:
    """Writers that count what was promised to them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._over = False
        self.promised = [0] * WRITERS

    def stop(self) -> None:
        self._over = True

    async def write(self, number: int) -> None:
        while not self._over:
            await self._client.put(f"writer/{number}", str(self.promised[number]), timeout=30.0)
            self.promised[number] += 1


def upgrade(cluster: Cluster, client_url: str) -> None:
    """As an operator restarts a service whose program was replaced."""
    node = next(node for node in cluster.nodes if node.client_url == client_url)
    assert node.process.terminate() == 0
    command = node.process.command
    at = command.index("serve")
    node.process.command = [sys.executable, str(NEXT_VERSION), "version", *command[at:]]
    node.start()


async def restart_all(cluster: Cluster, orders: Path, reports: Path) -> tuple[int, str]:
    """Runs the script; each of its commands is carried out here."""
    environment = {
        **os.environ,
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "RAFTKV_ENDPOINTS": ",".join(cluster.endpoints),
    }
    command = f'printf "%s\\n" "$1" > {orders}; cat {reports}'
    script = await asyncio.create_subprocess_exec(
        *(str(SCRIPT), "sh", "-c", command, "restart"), env=environment, stdout=asyncio.subprocess.PIPE
    )

    def obey() -> None:
        for _ in cluster.nodes:
            upgrade(cluster, orders.read_text().strip())
            reports.write_text("started\n")

    (output, _), _ = await asyncio.gather(script.communicate(), asyncio.to_thread(obey))
    assert script.returncode is not None
    return script.returncode, output.decode()


async def test_no_write_fails_while_all_members_are_upgraded(start_cluster: StartCluster, tmp_path: Path) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    leader = cluster.leader()
    orders, reports = tmp_path / "orders", tmp_path / "reports"
    for fifo in (orders, reports):
        os.mkfifo(fifo)
    async with Client(cluster.endpoints) as client:
        load = Load(client)
        async with asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                tasks.create_task(load.write(number))
            code, said = await restart_all(cluster, orders, reports)
            load.stop()
        found = await client.range("writer/", prefix=True)
    assert code == 0
    assert said.splitlines()[-1] == "all members were restarted"
    restarted = [line.removeprefix("restarting ") for line in said.splitlines() if line.startswith("restarting ")]
    assert sorted(restarted) == sorted(node.client_url for node in cluster.nodes)
    assert restarted[-1] == leader.client_url
    assert min(load.promised) > 10
    assert [one.version for one in found.kvs] == load.promised  # each exactly once
    assert all("0.0.1" in version(node.endpoint) for node in cluster.nodes)
    for node in cluster.nodes:
        node.caller.ask(rpc.RangeRequest(key=b"writer/0"))


def version(endpoint: str) -> str:

    with urllib.request.urlopen(f"http://{endpoint}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return next(line for line in text.splitlines() if line.startswith("raftkv_version{"))
