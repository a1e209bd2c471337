"""How a node begins: as one of a cluster's first members, as a newcomer, or as the last one left.

The ids of first members are computed, alike by all of them, from nothing but --initial-cluster and the token.

The state of first members stands for the log's first entry, which nobody has. So a newcomer, whose log is empty, cannot be
brought up to date by entries alone: its state always begins with a snapshot, and it learns of the first members as of anything
else.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from raftkv.apply.changes import membership_of
from raftkv.apply.machine import StateMachine
from raftkv.errors import ConfigError
from raftkv.mvcc.steps import finish
from raftkv.pb.rpc import Member
from raftkv.raft.messages import Membership
from raftkv.storage.engine import Batch, Engine, Table
from raftkv.storage.identity import Identity, save_identity
from raftkv.storage.log import LogStore, begin_log
from raftkv.storage.overlay import Overlay

FIRST_INDEX = 1
FIRST_TERM = 1
"""The entry for which the first members' state stands."""
REPLAY_BYTES = 16 * 1024 * 1024


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


def found_cluster(engine: Engine, identity: Identity, members: Sequence[Member]) -> None:
    """Makes an empty engine that of a first member."""
    overlay = Overlay(engine)
    machine = StateMachine(overlay)
    machine.bootstrap(
        membership_of({member.ID: member for member in members}), list(members), index=FIRST_INDEX, term=FIRST_TERM
    )
    machine.record_progress()
    batch = Batch(rows=overlay.seal())
    begin_log(batch, index=FIRST_INDEX, term=FIRST_TERM)
    save_identity(batch, identity)
    engine.write(batch, sync=True)


def join_cluster(engine: Engine, identity: Identity, members: Sequence[Member]) -> None:
    """Makes an empty engine that of a newcomer: it knows where the members are, and nothing else until a snapshot comes."""
    overlay = Overlay(engine)
    StateMachine(overlay).bootstrap(Membership(), list(members))
    batch = Batch(rows=overlay.seal())
    save_identity(batch, identity)
    engine.write(batch, sync=True)


def find_newcomer(peer_urls: Sequence[str], initial_cluster: Mapping[str, Sequence[str]], members: Sequence[Member]) -> Member:
    """Which member of a cluster a node without data is to be.

    Raises:
        ConfigError: it was not added, it has lived before, or --initial-cluster says something else than the cluster.
    """
    mine = set(peer_urls)
    own = next((member for member in members if set(member.peerURLs) == mine), None)
    if own is None:
        raise ConfigError(
            f"--initial-cluster: the cluster has no member at {', '.join(sorted(mine))}; "
            "`raftkv member add` must come before the start of the new member"
        )
    if own.name:
        raise ConfigError(
            f"--data-dir: member {own.ID:x} ({own.name}) has run before, and its data is not here; "
            "what it has promised is lost with it: remove it, and add it anew"
        )
    named, there = _all_urls(initial_cluster.values()), _all_urls(member.peerURLs for member in members)
    if named != there:
        raise ConfigError(f"--initial-cluster: names {_shown(named)}, but the members of the cluster are at {_shown(there)}")
    return own


def force_new_cluster(engine: Engine, identity: Identity) -> None:
    """Makes this node the only member of its cluster, with all the data that it has.

    Every entry of its log counts, for it may have been acknowledged. The others are remembered as removed: should one of them
    come back, it is refused.
    """
    log = LogStore.open(engine)
    overlay = Overlay(engine)
    machine = StateMachine(overlay)
    finish(machine.load())
    _replay(log, machine)
    machine.keep_only(identity.node_id)
    machine.record_progress()
    batch = Batch(rows=overlay.seal())
    batch.truncate(Table.LOG, b"", b"\xff" * 9)
    term = log.hard_state.term + 1
    begin_log(batch, index=machine.applied_index, term=machine.applied_term, current_term=term)
    engine.write(batch, sync=True)


def _replay(log: LogStore, machine: StateMachine) -> None:
    """Applies the rest of the log. What it changes stays in memory until all of it is written in one piece."""
    while machine.applied_index < log.last_index():
        for entry in log.entries(machine.applied_index + 1, log.last_index() + 1, REPLAY_BYTES):
            finish(machine.apply(entry))


def _all_urls(urls: Iterable[Iterable[str]]) -> set[str]:
    return {url for each in urls for url in each}


def _shown(urls: set[str]) -> str:
    return ", ".join(sorted(urls))


def _first_eight(digest: "hashlib._Hash") -> int:
    return int.from_bytes(digest.digest()[:8], "big")
