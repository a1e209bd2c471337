"""Quotas as clients of a real node meet them: the guide, watches, rights, the gateway, metrics."""

import doctest
import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from raftkv.apply.machine import StateMachine
from raftkv.client import BlockingClient, Client
from raftkv.errors import InvalidArgumentError, PermissionDeniedError, QuotaNotFoundError, RequestError
from raftkv.mvcc.steps import finish
from raftkv.storage.overlay import Overlay
from raftkv.storage.rocks import RocksEngine
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

GUIDE = Path(__file__).parents[2] / "docs" / "quotas.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PYTHON_PRINTS = 'raftkv: quota of prefix "/jobs/" exceeded: 2 of 2 keys are used, and 1 more would be\n3\n'


def run(*command: str, endpoint: str) -> str:
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RAFTKV_ENDPOINTS": endpoint}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
    )
    return done.stdout


def test_examples_do_what_the_guide_says(raftkv_node: Cluster) -> None:
    endpoint, ran = raftkv_node.endpoints[0], 0
    compare = doctest.OutputChecker().check_output
    for kind, text in BLOCK.findall(GUIDE.read_text()):
        if kind == "python":
            program = text.replace("127.0.0.1:2379", endpoint)
            assert run(sys.executable, "-W", "error", "-c", program, endpoint=endpoint) == PYTHON_PRINTS
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            printed = run("bash", "-c", command, endpoint=endpoint)
            assert compare(expected, printed, doctest.NORMALIZE_WHITESPACE), f"$ {command}\n{printed}"
            ran += 1
    assert ran == 11
    with urllib.request.urlopen(f"{raftkv_node.nodes[0].client_url}/metrics", timeout=10) as response:
        told = response.read().decode()
    assert 'raftkv_quota_limit{limit="keys",prefix="/jobs/",role=""} 100.0' in told
    assert 'raftkv_quota_used_keys{prefix="/jobs/eu/"} 1.0' in told
    assert 'raftkv_quota_refused_total{prefix="/jobs/eu/",role=""} 1.0' in told


def test_a_backup_has_the_quotas_and_what_is_used_of_them(raftkv_node: Cluster, tmp_path: Path) -> None:
    with BlockingClient(raftkv_node.endpoints) as client:
        client.quota_set("/a/", max_keys=2, max_bytes=100)
        client.put("/a/1", "value")
    endpoint = raftkv_node.endpoints[0]
    saved = run("raftkv", "snapshot", "save", str(tmp_path / "backup"), endpoint=endpoint)
    assert "saved" in saved
    restored = run("raftkv", "snapshot", "restore", str(tmp_path / "backup"), f"--data-dir={tmp_path}/new", endpoint=endpoint)
    assert "Restored" in restored
    engine = RocksEngine(tmp_path / "new")
    machine = StateMachine(Overlay(engine))
    finish(machine.load())
    (quota,) = machine.quotas.quotas.values()
    assert (quota.prefix, quota.max_keys, quota.max_bytes) == (b"/a/", 2, 100)
    assert (machine.quotas.usage[b"/a/"].keys, machine.quotas.usage[b"/a/"].bytes) == (1, 9)
    engine.close()


async def test_watches_and_requests_and_what_cannot_be(raftkv_node: Cluster) -> None:
    async with Client(raftkv_node.endpoints) as client:
        with pytest.raises(InvalidArgumentError, match="needs a limit"):
            await client.quota_set("/a/")
        with pytest.raises(QuotaNotFoundError):
            await client.quota_remove("/a/")
        async with client.watch("/a/1"):
            await client.quota_set("/a/", max_watches=2, requests_per_second=3)
            async with client.watch("/a/", prefix=True):
                assert (await client.quota_get("/a/")).watches == 2
                with pytest.raises(RequestError, match="2 of 2 watches of this node are used"):
                    await client.watch("/a/2").open()
                async with client.watch("/b/"):
                    assert (await client.quota_get("/a/")).watches == 2
        answers = [await _answered(client) for _ in range(20)]
        assert "RESOURCE_EXHAUSTED" in answers
        assert (await client.quota_get("/a/")).refused >= 2


async def _answered(client: Client) -> str:
    try:
        await client.get("/a/1")
    except RequestError as error:
        return error.code.name
    return "OK"


def test_root_alone_sets_quotas_and_who_may_read_a_prefix_sees_its_own(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, options={"bcrypt-cost": "4"})
    with BlockingClient(cluster.endpoints) as client:
        for name, role in (("root", "root"), ("ann", "guests")):
            client.role_add(role)
            client.user_add(name, "secret")
            client.user_grant_role(name, role)
        client.role_grant_permission("guests", "readwrite", b"/a/", b"/a0")
        client.auth_enable()
    with (
        BlockingClient(cluster.endpoints, user="root", password="secret") as root,
        BlockingClient(cluster.endpoints, user="ann", password="secret") as ann,
    ):
        root.quota_set("/a/", role="guests", max_keys=1)
        root.quota_set("", max_keys=1000)
        ann.put("/a/1", "x")
        with pytest.raises(RequestError, match="for role guests, exceeded: 1 of 1 keys"):
            ann.put("/a/2", "x")
        root.put("/a/2", "x")
        for forbidden in (lambda: ann.quota_set("/a/", max_keys=9), lambda: ann.quota_remove("/a/"), lambda: ann.quota_get("")):
            with pytest.raises(PermissionDeniedError):
                forbidden()
        assert [status.quota.prefix for status in ann.quotas()] == [b"/a/"]
        assert [status.quota.prefix for status in root.quotas()] == [b"", b"/a/"]
    request = urllib.request.Request(f"{cluster.nodes[0].client_url}/v3/quotas/list", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=10)
    assert "user name is empty" in json.loads(raised.value.read())["message"]
