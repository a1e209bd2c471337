"""etcdserverpb.Maintenance: a node's status, alarms, checksums, copies of everything, room on the disk, leadership, versions."""

from asyncio import timeout
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from raftkv.apply.command import ALARM, body
from raftkv.errors import BadTransfereeError, NotLeaderError, RequestTimeoutError, TransferDroppedError
from raftkv.mvcc.hashing import HistoryHash
from raftkv.mvcc.steps import Steps
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.rpc.downgrades import STORAGE_VERSION, Downgrades
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica

PREFIX = "/etcdserverpb.Maintenance/"
API_VERSION = "3.5.21"
"""The version of etcd whose API is served: clients decide by it what they may ask for."""


class Maintenance:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, size_on_disk: Callable[[], int]) -> None:
        self._replica = replica
        self._quota = quota
        self._size_on_disk = size_on_disk
        self._downgrades = Downgrades(replica)

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method(PREFIX + "Status", Kind.UNARY, rpc.StatusRequest, rpc.StatusResponse, self.status),
            Method(PREFIX + "Alarm", Kind.UNARY, rpc.AlarmRequest, rpc.AlarmResponse, self.alarm),
            Method(PREFIX + "Defragment", Kind.UNARY, rpc.DefragmentRequest, rpc.DefragmentResponse, self.defragment),
            Method(PREFIX + "Hash", Kind.UNARY, rpc.HashRequest, rpc.HashResponse, self.hash),
            Method(PREFIX + "HashKV", Kind.UNARY, rpc.HashKVRequest, rpc.HashKVResponse, self.hash_kv),
            Method(PREFIX + "Snapshot", Kind.SERVER_STREAM, rpc.SnapshotRequest, rpc.SnapshotResponse, self.snapshot),
            Method(PREFIX + "MoveLeader", Kind.UNARY, rpc.MoveLeaderRequest, rpc.MoveLeaderResponse, self.move_leader),
            Method(PREFIX + "Downgrade", Kind.UNARY, rpc.DowngradeRequest, rpc.DowngradeResponse, self._downgrades.answer),
        ]

    def status(self, request: rpc.StatusRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """This node as it is now."""
        return self._replica.read_local(self._status)

    def alarm(self, request: rpc.AlarmRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """Reads, raises or disarms alarms."""
        return self._replica.propose(body(ALARM, call.body), author=call.author)

    async def defragment(self, request: rpc.DefragmentRequest, call: Call) -> rpc.DefragmentResponse:  # noqa: ARG002 (as above)
        """Gives the space of deleted rows back to the disk, beside everything else."""
        await self._replica.upkeep.defragment()
        return rpc.DefragmentResponse()

    def hash(self, request: rpc.HashRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (as above)
        """A checksum of everything as it lies here; of no use to compare nodes with."""
        return self._replica.read_local(self._hash)

    def hash_kv(self, request: rpc.HashKVRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (as above)
        """A checksum of the versions up to a revision, which is the same on every node."""
        return self._replica.read_local(lambda: self._hash_kv(request.revision))

    async def snapshot(self, request: rpc.SnapshotRequest, call: Call) -> AsyncIterator[rpc.SnapshotResponse]:  # noqa: ARG002 (as above)
        """Everything as a file, in pieces, its SHA-256 last."""
        left = self._replica.store.size_in_use
        async with aclosing(self._replica.upkeep.archive()) as archive:
            async for blobs in archive:
                for blob in blobs:
                    # How much is left is only guessed, for what is read last is not known yet; but zero is the end.
                    left = 0 if blob.last else max(left - len(blob.data), 1)
                    response = rpc.SnapshotResponse(blob=blob.data, remaining_bytes=left, version=API_VERSION)
                    self._replica.fill(response.header)
                    yield response

    async def move_leader(self, request: rpc.MoveLeaderRequest, call: Call) -> rpc.MoveLeaderResponse:  # noqa: ARG002 (as above)
        """Hands leadership over; only the leader can."""
        replica, target = self._replica, request.targetID
        if not replica.is_leader:
            raise NotLeaderError
        if target == replica.settings.node_id:
            return rpc.MoveLeaderResponse()
        member = replica.members.get(target)
        if member is None or member.isLearner:
            raise BadTransfereeError
        try:
            async with timeout(replica.settings.patience_s):
                await replica.hand_over(target)
        except (TimeoutError, TransferDroppedError) as error:
            raise RequestTimeoutError from error
        return rpc.MoveLeaderResponse()

    def _hash(self) -> Steps[rpc.HashResponse]:
        response = rpc.HashResponse()
        self._replica.fill(response.header)
        response.header.revision = self._replica.store.revision
        checksum = self._replica.store.hash_all()
        response.hash = checksum if isinstance(checksum, int) else (yield from checksum)
        return response

    def _hash_kv(self, revision: int) -> Steps[rpc.HashKVResponse]:
        response = rpc.HashKVResponse()
        self._replica.fill(response.header)
        response.header.revision = self._replica.store.revision
        hashed = self._replica.store.hash(revision)
        if not isinstance(hashed, HistoryHash):
            hashed = yield from hashed
        response.hash, response.hash_revision, response.compact_revision = hashed
        return response

    def _status(self) -> rpc.StatusResponse:
        replica = self._replica
        response = rpc.StatusResponse(
            version=API_VERSION,
            dbSize=self._size_on_disk(),
            leader=replica.leader,
            raftIndex=replica.commit_index,
            raftTerm=replica.term,
            raftAppliedIndex=replica.machine.applied_index,
            errors=self._errors(),
            dbSizeInUse=replica.store.size_in_use,
            isLearner=replica.is_learner,
            storageVersion=STORAGE_VERSION,
            dbSizeQuota=self._quota.limit or 0,
        )
        if target := replica.machine.downgrade_target:
            response.downgradeInfo.enabled = True
            response.downgradeInfo.targetVersion = target
        replica.fill(response.header)
        response.header.revision = replica.store.revision
        return response

    def _errors(self) -> list[str]:
        """What is wrong, in etcd's words (server/etcdserver/api/v3rpc/maintenance.go)."""
        errors = [
            f"memberID:{member} alarm:{rpc.AlarmType.Name(alarm)} " for member, alarm in sorted(self._replica.machine.alarms)
        ]
        if not self._replica.leader:
            errors.insert(0, "etcdserver: no leader")
        return errors
