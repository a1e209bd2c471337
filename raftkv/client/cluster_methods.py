"""The methods of the client about the members of the cluster, and about the upkeep of its nodes."""

from collections.abc import AsyncIterator, Sequence

from raftkv.client.method import (
    DEFRAGMENT,
    DOWNGRADE,
    HASH_KV,
    MEMBER_ADD,
    MEMBER_PROMOTE,
    MEMBER_REMOVE,
    MEMBER_UPDATE,
    MOVE_LEADER,
    SNAPSHOT_PATH,
)
from raftkv.client.part import ClientPart
from raftkv.client.status import error_of
from raftkv.pb import rpc


class ClusterMethods(ClientPart):
    """A part of `Client`."""

    async def member_add(
        self,
        peer_urls: Sequence[str],
        *,
        learner: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MemberAddResponse:
        """Adds a member, which is then to be started with --initial-cluster-state existing.

        Args:
            peer_urls: Where the other members will find it.
            learner: It learns, and has no vote until it is promoted.
            timeout: Seconds, for this call.

        Raises:
            BadMemberUrlsError: A URL is not scheme, host and port.
            PeerUrlExistsError: Another member is there.
            UnhealthyClusterError: Members are away, so that one more could cost the quorum.
            TooManyLearnersError: There are enough that learn.
        """
        return await self.call(MEMBER_ADD, rpc.MemberAddRequest(peerURLs=peer_urls, isLearner=learner), timeout=timeout)

    async def member_promote(
        self,
        member_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MemberPromoteResponse:
        """Lets a learner vote. Raises LearnerNotReadyError while it lacks too much of the log."""
        return await self.call(MEMBER_PROMOTE, rpc.MemberPromoteRequest(ID=member_id), timeout=timeout)

    async def member_update(
        self,
        member_id: int,
        peer_urls: Sequence[str],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MemberUpdateResponse:
        """Tells the members that one of them is to be found elsewhere."""
        return await self.call(MEMBER_UPDATE, rpc.MemberUpdateRequest(ID=member_id, peerURLs=peer_urls), timeout=timeout)

    async def member_remove(
        self,
        member_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MemberRemoveResponse:
        """Removes a member for good: its node ends."""
        return await self.call(MEMBER_REMOVE, rpc.MemberRemoveRequest(ID=member_id), timeout=timeout)

    async def move_leader(
        self,
        target: int,
        *,
        endpoint: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MoveLeaderResponse:
        """Hands leadership to a voting member. Only the leader can: raises NotLeaderError at another endpoint."""
        return await self.call(MOVE_LEADER, rpc.MoveLeaderRequest(targetID=target), endpoint=endpoint, timeout=timeout)

    async def defragment(
        self,
        endpoint: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.DefragmentResponse:
        """Lets one node give the space of deleted data back to its disk; raftkv serves meanwhile."""
        return await self.call(DEFRAGMENT, rpc.DefragmentRequest(), endpoint=endpoint, timeout=timeout)

    async def hash_kv(
        self,
        endpoint: str | None = None,
        *,
        revision: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.HashKVResponse:
        """The checksum of one node's keys up to a revision (0: of all), which is the same at every node."""
        return await self.call(HASH_KV, rpc.HashKVRequest(revision=revision), endpoint=endpoint, timeout=timeout)

    async def downgrade(
        self,
        action: rpc.DowngradeRequest.DowngradeAction,
        version: str = "",
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.DowngradeResponse:
        """Asks whether the cluster may go down to a version, says that it will, or that it will not."""
        return await self.call(DOWNGRADE, rpc.DowngradeRequest(action=action, version=version), timeout=timeout)

    async def snapshot(self) -> AsyncIterator[rpc.SnapshotResponse]:
        """Everything that one node has, as a file in pieces: their blobs, one after the other. The last one is the SHA-256 of
        those before it.

        Raises:
            ConnectionBrokenError: It broke off; there is nothing to go on with.
        """
        stream, _ = await self._live().stream(SNAPSHOT_PATH)
        try:
            await stream.send(rpc.SnapshotRequest().SerializeToString())
            stream.end()
            while (body := await stream.receive()) is not None:
                yield rpc.SnapshotResponse.FromString(body)
            if (reply := stream.reply) is not None and reply.code:
                raise error_of(reply)
        finally:
            stream.cancel()
