"""The service of a real node as clients see it: jobs and how they are named, an endpoint beside the workers, the command line, rights."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from raftkv.client import Client
from raftkv.errors import InvalidArgumentError
from raftkv.pb import torchft as pb
from raftkv.torchft import serve
from tests.cli.conversation import RAFTKV, CommandLine
from tests.harness.cluster import Cluster
from tests.harness.lighthouse import ask
from tests.harness.raftkv import RaftkvCluster

HEARTBEAT = "/torchft.LighthouseService/Heartbeat"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("lighthouse")) as cluster:
        yield cluster


def raftkv(cluster: Cluster, *arguments: str) -> tuple[int, str]:
    command = [*RAFTKV, f"--endpoints={cluster.endpoints[0]}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def test_job_is_named_in_the_address_or_in_metadata(cluster: Cluster) -> None:
    (address,) = cluster.endpoints
    assert ask(address, "a") == (1, ["a"])
    assert ask(address, "b", authority=f"one@{address}") == (1, ["b"])
    assert ask(address, "c", raftkv_job="two%20words") == (1, ["c"])
    assert ask(address, "d", authority=f"three@{address}", room_id="four") == (1, ["d"])
    code, shown = raftkv(cluster, "lighthouse", "show")
    assert code == 0
    assert re.findall(r"^(.*): quorum 1, formed 20", shown, re.MULTILINE) == ["default", "four", "one", "two words"]


def test_groups_of_a_job_meet(cluster: Cluster) -> None:
    async def meet() -> list[tuple[int, list[str]]]:
        groups = [asyncio.to_thread(ask, cluster.endpoints[0], group, raftkv_job="meet") for group in "ab"]
        return await asyncio.gather(*groups)

    assert raftkv(cluster, "lighthouse", "set", "meet", "--min-replicas", "2")[0] == 0
    assert asyncio.run(meet()) == [(1, ["a", "b"])] * 2


@pytest.mark.parametrize(("group", "job"), [("", "job"), ("a", "a%2Fb"), ("a" * 1025, "job")])
def test_what_cannot_be_is_refused(cluster: Cluster, group: str, job: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ask(cluster.endpoints[0], group, raftkv_job=job)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_endpoint_is_the_lighthouse_of_its_job(cluster: Cluster) -> None:
    async with Client(cluster.endpoints) as client, serve(client, "beside é") as endpoint:
        address = endpoint.address.removeprefix("http://")
        assert await asyncio.to_thread(ask, address, "a") == (1, ["a"])
        assert (await client.get("/raftkv/lighthouse/beside é/quorum")) is not None
        async with grpc.aio.insecure_channel(address) as channel:
            beat: Any = channel.unary_unary(HEARTBEAT)
            assert await beat(pb.LighthouseHeartbeatRequest(replica_id="a").SerializeToString()) == b""
    with pytest.raises(InvalidArgumentError):
        async with serve(client, "no/job"):
            pass


def test_command_line_serves_sets_and_shows(cluster: Cluster) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "lighthouse", "serve", "mnist") as serving:
        address = serving.read_until(b"\n").decode().strip().removeprefix("http://")
        assert ask(address, "a") == (1, ["a"])
    code, output = raftkv(cluster, "lighthouse", "set", "mnist", "--join-timeout-ms", "100", "--min-replicas", "2")
    assert (code, json.loads(output)) == (0, {"min_replicas": 2, "join_timeout_ms": 100, "heartbeat_timeout_ms": 5000})
    code, output = raftkv(cluster, "lighthouse", "set", "mnist", "--heartbeat-timeout-ms", "200")
    assert (code, json.loads(output)) == (0, {"min_replicas": 2, "join_timeout_ms": 100, "heartbeat_timeout_ms": 200})
    code, shown = raftkv(cluster, "lighthouse", "show", "mnist")
    assert (code, shown.splitlines()[1]) == (0, "  a    step 0")
    assert raftkv(cluster, "lighthouse", "show", "nobody") == (1, "Error: job nobody has had no quorum\n")
    assert raftkv(cluster, "lighthouse", "serve", "--listen", "here") == (2, "Error: --listen here: it is HOST:PORT\n")


async def test_endpoint_asks_in_the_name_of_its_user(tmp_path: Path) -> None:
    with RaftkvCluster(tmp_path, options={"bcrypt-cost": "4"}) as cluster:
        async with Client(cluster.endpoints) as root:
            for role in ("root", "trainer"):
                await root.role_add(role)
                await root.user_add(role, "secret")
                await root.user_grant_role(role, role)
            await root.role_grant_permission("trainer", "readwrite", "/raftkv/lighthouse/mine/", prefix=True)
            await root.auth_enable()
        async with Client(cluster.endpoints, user="trainer", password="secret") as client:
            async with serve(client, "mine") as mine:
                assert await asyncio.to_thread(ask, mine.address.removeprefix("http://"), "a") == (1, ["a"])
            async with serve(client, "yours") as yours:
                with pytest.raises(grpc.RpcError, match="permission denied"):
                    await asyncio.to_thread(ask, yours.address.removeprefix("http://"), "a")
        with pytest.raises(grpc.RpcError, match="user name is empty"):
            await asyncio.to_thread(ask, cluster.endpoints[0], "a", raftkv_job="mine")
