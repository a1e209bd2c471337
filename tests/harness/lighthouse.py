"""A replica group as the lighthouse sees it, without torchft."""

from typing import Any

import grpc

from raftkv.pb import torchft as pb

QUORUM = "/torchft.LighthouseService/Quorum"
PATIENCE_S = 20.0


def ask(
    address: str, group: str | pb.QuorumMember, *, authority: str = "", timeout: float = PATIENCE_S, **metadata: str
) -> tuple[int, list[str]]:
    """Id and groups of the quorum that a group, known by its name or with all that it says of itself, is told of."""
    member = pb.QuorumMember(replica_id=group) if isinstance(group, str) else group
    options = [("grpc.default_authority", authority)] if authority else []
    request = pb.LighthouseQuorumRequest(requester=member)
    with grpc.insecure_channel(address, options=options) as channel:
        call: Any = channel.unary_unary(QUORUM)
        headers = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        answer = call(request.SerializeToString(), timeout=timeout, metadata=headers)
    quorum = pb.LighthouseQuorumResponse.FromString(answer).quorum
    return quorum.quorum_id, [member.replica_id for member in quorum.participants]
