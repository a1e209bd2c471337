"""Clusters that speak TLS, to their clients and among themselves."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import grpc

from tests.harness.calls import Caller
from tests.harness.certificates import Authority, Pair
from tests.harness.cluster import Node
from tests.harness.etcd import ETCDCTL
from tests.harness.raftkv import RaftkvCluster


def credentials(authority: Authority, pair: Pair | None = None) -> grpc.ChannelCredentials:
    """What grpcio wants to know."""
    if pair is None:
        return grpc.ssl_channel_credentials(authority.cert.read_bytes())
    return grpc.ssl_channel_credentials(authority.cert.read_bytes(), pair.key.read_bytes(), pair.cert.read_bytes())


class SecureNode(Node):
    """A node with https:// URLs."""

    def secured(self, by: grpc.ChannelCredentials) -> Self:
        self.caller.close()
        self.caller = Caller(self.endpoint, by)
        self.peer_url = self.peer_url.replace("http://", "https://")
        return self

    @property
    def client_url(self) -> str:
        return f"https://{self.endpoint}"


class SecureCluster(RaftkvCluster):
    """Every node has a certificate of one authority; members and clients must show one, too."""

    def __init__(self, directory: Path, authority: Authority, *, size: int = 1, options: dict[str, str] | None = None) -> None:
        self.authority = authority
        self.client = authority.issue("client", hosts=())
        self.pairs: dict[str, Pair] = {}
        super().__init__(directory, size=size, options=options)

    def _node(self, number: int, directory: Path) -> Node:
        node = SecureNode(
            f"node{number}", directory=directory, client_port=self._ports.take(), peer_port=self._ports.take()
        ).secured(credentials(self.authority, self.client))
        self.pairs[node.name] = self.authority.issue(node.name)
        return node

    def _command(self, node: Node) -> list[str]:
        pair, prefixes = self.pairs[node.name], ("", "peer-")
        flags = [f"--{prefix}cert-file={pair.cert}" for prefix in prefixes]
        flags += [f"--{prefix}key-file={pair.key}" for prefix in prefixes]
        flags += [f"--{prefix}trusted-ca-file={self.authority.cert}" for prefix in prefixes]
        flags += [f"--{prefix}client-cert-auth" for prefix in prefixes]
        return [*super()._command(node), *flags]


def etcdctl(endpoint: str, *arguments: str, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """The real etcdctl."""
    return subprocess.run(
        [str(ETCDCTL), f"--endpoints={endpoint}", "--command-timeout=5s", "--dial-timeout=3s", *flags, *arguments],
        env={**os.environ, "ETCDCTL_API": "3"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
