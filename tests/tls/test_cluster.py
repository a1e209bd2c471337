"""Real nodes over TLS: three of them, the real etcdctl, grpcio, HTTP/1.1, our client and our command line."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftkv.client import BlockingClient, TLSConfig
from raftkv.errors import ConnectError, PermissionDeniedError
from raftkv.pb import rpc
from raftkv.tls.names import common_name
from tests.harness.calls import Caller, Failure
from tests.harness.certificates import Authority
from tests.harness.ports import Ports
from tests.harness.processes import Process
from tests.tls.secure import SecureCluster, credentials, etcdctl

CLI = [sys.executable, "-m", "raftkv_cli.main"]
SERVE = [*CLI, "serve"]


@pytest.fixture
def cluster(tmp_path: Path, authority: Authority) -> Iterator[SecureCluster]:
    with SecureCluster(tmp_path / "secure", authority, size=3) as started:
        yield started


def flags_of(cluster: SecureCluster) -> list[str]:
    pair = cluster.client
    return [f"--cacert={cluster.authority.cert}", f"--cert={pair.cert}", f"--key={pair.key}"]


def http(endpoint: str, request: bytes, context: ssl.SSLContext) -> bytes:
    """What curl would do."""
    host, _, port = endpoint.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as s,
    ):
        s.sendall(request)
        return b"".join(iter(lambda: s.recv(65_536), b""))


def test_a_cluster_with_certificates_on_every_way(cluster: SecureCluster, other_authority: Authority, tmp_path: Path) -> None:
    first, second, third = cluster.nodes
    first.caller.ask(rpc.PutRequest(key=b"k", value=b"v"))
    # every client sees what another one wrote, at another node
    done = etcdctl(f"https://{second.endpoint}", "get", "k", "--print-value-only", flags=flags_of(cluster))
    assert (done.returncode, done.stdout) == (0, "v\n"), done.stderr
    context = ssl.create_default_context(cafile=str(cluster.authority.cert))
    context.load_cert_chain(*cluster.client)
    body = b'{"key":"aw=="}'
    head = b"POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert b'"value":"dg=="' in http(third.endpoint, head + body, context)
    assert b"etcd_server_has_leader 1.0" in http(
        third.endpoint, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", context
    )
    pair = cluster.client
    tls = TLSConfig(ca_file=cluster.authority.cert, cert_file=pair.cert, key_file=pair.key)
    with BlockingClient(f"https://{third.endpoint}", tls=tls) as client:
        found = client.get("k")
        assert found is not None
        assert found.value == b"v"
    ours = [*CLI, f"--endpoints=https://{second.endpoint}", *flags_of(cluster), "get", "k", "--print-value-only"]
    assert subprocess.run(ours, capture_output=True, text=True, timeout=30, check=True).stdout == "v\n"
    # and nobody else sees anything
    nobody, stranger = credentials(cluster.authority), credentials(cluster.authority, other_authority.issue("mallory"))
    for outsider in (nobody, stranger):
        with Caller(first.endpoint, outsider) as caller:
            assert isinstance(caller.call(rpc.RangeRequest(key=b"k"), timeout_s=1.0, wait=False), Failure)
    with (
        BlockingClient(first.endpoint, wait_for_ready=False) as plain,
        pytest.raises(ConnectError, match=r"is it to be spoken to with https://\?"),
    ):
        plain.get("k")
    log = first.process.log_tail
    cluster.wait_until(lambda: log().count("a TLS handshake failed") >= 2, "the strangers are noted")
    cluster.wait_until(lambda: "it does not speak TLS, which is all that is spoken here" in log(), "plain text is named")
    assert cluster.nodes[0].data.stat().st_mode & 0o777 == 0o700


def test_certificates_are_renewed_one_node_after_another_without_restarts(tmp_path: Path, authority: Authority) -> None:
    with SecureCluster(tmp_path / "secure", authority, size=3) as cluster:
        (leader,) = (node for node in cluster.nodes if node is cluster.leader())
        for node in cluster.nodes:
            cluster.pairs[node.name].replace_by(authority.issue("renewed"))
        follower = next(node for node in cluster.nodes if node is not leader)
        follower.kill()  # its connections have to be made anew, with what the files say now
        follower.start()
        cluster.wait_ready([follower])
        with Caller(leader.endpoint, credentials(authority, cluster.client)) as fresh:
            fresh.ask(rpc.PutRequest(key=b"k", value=b"v"))
        context = ssl.create_default_context(cafile=str(authority.cert))
        context.load_cert_chain(*cluster.client)
        host, _, port = leader.endpoint.rpartition(":")
        with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname=host) as s:
            certificate = s.getpeercert()
        assert certificate is not None
        assert common_name(certificate) == "renewed"


def test_a_node_makes_its_own_certificate(tmp_path: Path) -> None:
    with Ports() as ports:
        endpoint = f"127.0.0.1:{ports.take()}"
        peer = f"https://127.0.0.1:{ports.take()}"
        flags = ["--auto-tls", "--peer-auto-tls=true", "--data-dir", str(tmp_path / "data"), "--name=n"]
        urls = ["--listen-client-urls", f"https://{endpoint}", "--listen-peer-urls", peer, "--initial-cluster", f"n={peer}"]
        process = Process("n", [*SERVE, *flags, *urls], log=tmp_path / "log")
        process.start()
        try:
            client = [f"https://{endpoint}", "put", "k", "v"]
            done = etcdctl(
                *client,
                flags=[
                    "--insecure-skip-tls-verify",
                    "--insecure-transport=false",
                    "--dial-timeout=25s",
                    "--command-timeout=25s",
                ],
            )
            assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr + process.log_tail()
            certificate = tmp_path / "data" / "auto-tls" / "client.pem"
            with BlockingClient(f"https://{endpoint}", tls=TLSConfig(ca_file=certificate)) as ours:
                found = ours.get("k")
            assert found is not None
            assert found.value == b"v"
            for name in ("client", "peer"):
                assert (certificate.parent / f"{name}.key.pem").stat().st_mode & 0o777 == 0o600
            assert certificate.parent.stat().st_mode & 0o777 == 0o700
        finally:
            process.end()


def test_the_common_name_of_a_certificate_is_its_user(tmp_path: Path, authority: Authority) -> None:
    with SecureCluster(tmp_path / "secure", authority, options={"bcrypt-cost": "4"}) as cluster:
        endpoint = f"https://{cluster.nodes[0].endpoint}"

        def client(name: str) -> BlockingClient:
            pair = authority.issue(name, hosts=())
            return BlockingClient(endpoint, tls=TLSConfig(ca_file=authority.cert, cert_file=pair.cert, key_file=pair.key))

        with client("root") as root, client("alice") as alice, client("mallory") as mallory:
            root.role_add("a")
            root.role_grant_permission("a", "readwrite", "/a/", prefix=True)
            for user in ("root", "alice"):
                root.user_add(user, None)
            root.user_grant_role("root", "root")
            root.user_grant_role("alice", "a")
            root.auth_enable()
            alice.put("/a/k", "v")
            for refused in (lambda: alice.put("/b", ""), lambda: mallory.put("/a/k", ""), alice.users):
                with pytest.raises(PermissionDeniedError):
                    refused()
            assert root.get("/a/k") is not None


def test_a_certificate_that_cannot_be_read_is_one_line_and_exit_2(tmp_path: Path) -> None:
    flags = ["--listen-client-urls=https://127.0.0.1:1", "--cert-file=absent.pem", "--key-file=absent.key"]
    done = subprocess.run([*SERVE, *flags], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [
        "Error: --cert-file: absent.pem does not exist"
    ]
