"""Going down to an earlier version, as etcd's protocol has it (server/etcdserver/v3_server.go, Downgrade).

VALIDATE    may the cluster go down to this version?    only by one minor version, and one step at a time
ENABLE      it is going to
CANCEL      it is not
"""

import re

from raftkv.apply.command import SET_DOWNGRADE, body
from raftkv.errors import (
    Code,
    DowngradeInProgressError,
    InvalidDowngradeTargetError,
    NoDowngradeError,
    RequestError,
    WrongDowngradeFormatError,
)
from raftkv.pb import rpc
from raftkv.pb.command import SetDowngrade
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica

STORAGE_VERSION = "3.5.0"
"""The version of etcd's cluster whose features are all there; so also the cluster's own, where nobody set another."""

_VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?", re.ASCII)


class Downgrades:
    """The method Downgrade."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def answer(self, request: rpc.DowngradeRequest, call: Call) -> rpc.DowngradeResponse:  # noqa: ARG002 (a handler's shape)
        """Answers with the version that the cluster has."""
        match request.action:
            case rpc.DowngradeRequest.VALIDATE:
                await self._replica.read(lambda: self._validate(request.version))
            case rpc.DowngradeRequest.ENABLE:
                target: str = await self._replica.read(lambda: self._validate(request.version))
                await self._set(target)
            case rpc.DowngradeRequest.CANCEL:
                await self._replica.read(self._check_under_way)
                await self._set("")
            case _:
                raise RequestError("etcdserver: unknown method", code=Code.UNKNOWN)
        response = rpc.DowngradeResponse(version=self._cluster_version)
        self._replica.fill(response.header)
        response.header.revision = self._replica.store.revision
        return response

    @property
    def _cluster_version(self) -> str:
        return self._replica.machine.cluster_version or STORAGE_VERSION

    def _validate(self, text: str) -> str:
        """The version to go down to, without its patch."""
        parts = _VERSION.fullmatch(text)
        if parts is None:
            raise WrongDowngradeFormatError
        major, minor = (int(number) for number in self._cluster_version.split(".")[:2])
        if (int(parts[1]), int(parts[2])) != (major, minor - 1):
            raise InvalidDowngradeTargetError
        if self._replica.machine.downgrade_target:
            raise DowngradeInProgressError
        return f"{major}.{minor - 1}.0"

    def _check_under_way(self) -> None:
        if not self._replica.machine.downgrade_target:
            raise NoDowngradeError

    async def _set(self, target: str) -> None:
        await self._replica.propose(body(SET_DOWNGRADE, SetDowngrade(target_version=target).SerializeToString()))
