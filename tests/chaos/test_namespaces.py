"""Nodes in network namespaces: packets go where they are addressed, by direction lost, late and doubled; and nothing is left behind."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from raftkv_chaos.live import namespaces
from raftkv_chaos.live.command import run
from raftkv_chaos.live.namespaces import Namespaces, why_not
from raftkv_chaos.live.network import CLIENTS
from raftkv_chaos.live.wire import Weather

ECHO = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.bind((sys.argv[1], 2379))
    print(flush=True)
    while True:
        data, sender = own.recvfrom(100)
        own.sendto(data, sender)
"""
SOON_S = 0.15
PATIENCE_S = 20.0
HOME = Path("/proc/thread-self/ns/net")


@contextmanager
def echoing(switch: Namespaces, node: str) -> Iterator[str]:
    """A node that sends back what it gets."""
    host = switch.listening(node).host
    command = [*switch.command(node), sys.executable, "-c", ECHO, host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, close_fds=False) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield host
        finally:
            process.kill()


async def comes_back(host: str, data: bytes, times: int = 1) -> bool:
    """Whether a packet comes back so often; that it never does is believed soon."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        await loop.sock_sendto(own, data, (host, 2379))
        try:
            async with asyncio.timeout(PATIENCE_S if times else SOON_S):
                for _ in range(max(times, 1)):
                    assert await loop.sock_recv(own, 100) == data
        except TimeoutError:
            return times == 0
    return times > 0


async def try_each_direction(switch: Namespaces) -> None:
    with ExitStack() as nodes:
        hosts = {name: nodes.enter_context(echoing(switch, name)) for name in ("n1", "n2")}
        async with asyncio.TaskGroup() as tasks:
            for name in hosts:
                await switch.stand_before(name, peer=(0, 0), client=(0, 0), tasks=tasks)
        assert await comes_back(hosts["n1"], b"clear")
        for source, target in ((CLIENTS, "n1"), ("n1", CLIENTS)):
            switch.become(source, target, Weather(blocked=True))
            assert await comes_back(hosts["n1"], b"into silence", times=0)
            assert await comes_back(hosts["n2"], b"elsewhere")
            switch.clear([(source, target)])
        switch.become(CLIENTS, "n1", Weather(duplication=1.0, delay_s=0.01))
        assert await comes_back(hosts["n1"], b"twice", times=2)
        switch.become(CLIENTS, "n1", Weather(loss=1.0))
        assert await comes_back(hosts["n1"], b"lost", times=0)
        switch.clear_all()
        assert await comes_back(hosts["n1"], b"clear again")


def test_packets_meet_the_weather_of_their_direction_and_nothing_is_left_behind(tmp_path: Path) -> None:
    if why_not():
        refused = CliRunner().invoke(run, ["--network", "namespaces", "--folder", str(tmp_path / "run")])
        assert refused.exit_code == 2
        assert why_not() in refused.output
        return
    home, open_files = HOME.readlink(), len(list(Path("/proc/self/fd").iterdir()))
    switch = Namespaces(Random(1))
    try:
        assert HOME.readlink() != home
        asyncio.run(try_each_direction(switch))
    finally:
        switch.stop()
    assert HOME.readlink() == home
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_who_may_not_make_namespaces_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "DEVICE", tmp_path / "tun")
    assert why_not()
