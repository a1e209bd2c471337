"""How a cluster begins: ids that every first member computes alike, from nothing but --initial-cluster and the token."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from raftkv.pb.rpc import Member


def member_id(peer_urls: Iterable[str], token: str) -> int:
    """A member's id: the first eight bytes of a hash over its sorted peer URLs and the cluster's token."""
    return _first_eight(hashlib.sha256("".join((*sorted(peer_urls), token)).encode()))


def cluster_id(member_ids: Iterable[int]) -> int:
    """The cluster's id: the same over the sorted ids of its first members."""
    return _first_eight(hashlib.sha256(b"".join(identifier.to_bytes(8, "big") for identifier in sorted(member_ids))))


def first_members(initial_cluster: Mapping[str, Sequence[str]], token: str) -> dict[int, Member]:
    """The members that a new cluster begins with: id -> Member."""
    members = [Member(ID=member_id(urls, token), name=name, peerURLs=sorted(urls)) for name, urls in initial_cluster.items()]
    return {member.ID: member for member in sorted(members, key=lambda member: member.ID)}


def _first_eight(digest: "hashlib._Hash") -> int:
    return int.from_bytes(digest.digest()[:8], "big")
