"""`raftkv dev`: a cluster that comes up, shows who leads, and survives the death of its nodes."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftkv.pb import rpc
from raftkv_cli.dev import layout
from tests.harness.calls import Caller, Failure
from tests.harness.ports import Ports
from tests.harness.processes import Process


def test_the_usual_ports_are_etcds() -> None:
    assert [node.client_port for node in layout(3, None)] == [2379, 22379, 32379]
    assert [node.peer_port for node in layout(3, None)] == [2380, 22380, 32380]


def test_a_base_port_gives_adjacent_ones() -> None:
    assert [(node.client_port, node.peer_port) for node in layout(3, 4000)] == [(4000, 4001), (4002, 4003), (4004, 4005)]


@pytest.fixture
def base_port() -> Iterator[int]:
    """The first of six free ports in a row."""
    with Ports() as ports:
        yield ports.take_row(6)


class Dev:
    """A running `raftkv dev` of three nodes."""

    def __init__(self, directory: Path, base_port: int) -> None:
        arguments = ["dev", "--base-port", str(base_port), "--data-dir", str(directory / "data")]
        self.process = Process("dev", [sys.executable, "-m", "raftkv_cli.main", *arguments], log=directory / "log")
        self.endpoints = [f"127.0.0.1:{base_port + 2 * i}" for i in range(3)]

    @property
    def output(self) -> str:
        return self.process.log.read_text() if self.process.log.exists() else ""

    def until(self, pattern: str, *, start: int = 0) -> "re.Match[str]":
        """The first match in the output from `start` on, as soon as it is there."""
        for _ in range(1200):
            if match := re.compile(pattern).search(self.output, start):
                return match
            assert not self.process.ended_within(0.05), self.output
        raise AssertionError(f"{pattern!r} not in:\n{self.output}")


@pytest.fixture
def dev(tmp_path: Path, base_port: int) -> Iterator[Dev]:
    running = Dev(tmp_path, base_port)
    running.process.start()
    yield running
    if running.process.running:
        running.process.terminate()


def test_it_survives_the_death_of_a_node_and_stops_them_all(dev: Dev) -> None:
    leader = dev.until(r"leader \| (n\d)")[1]
    victim = int(dev.until(rf"{leader} \| process (\d+)")[1])
    with Caller(dev.endpoints[int(leader[1]) - 1]) as caller:
        caller.ask(rpc.PutRequest(key=b"k", value=b"v"))
    before = len(dev.output)
    os.kill(victim, signal.SIGKILL)
    dev.until(rf"{leader} \| ended \(killed by SIGKILL\), starting it again", start=before)
    dev.until(rf"{leader} \| process \d+", start=before)
    dev.until(r"leader \| n\d", start=before)
    for endpoint in dev.endpoints:
        with Caller(endpoint) as caller:
            assert not isinstance(caller.call(rpc.RangeRequest(key=b"k"), timeout_s=15.0), Failure)
    assert dev.process.terminate() == 0
    for pid in re.findall(r"process (\d+)", dev.output):
        assert not Path(f"/proc/{pid}").exists()
