"""Tells a node's other parts who the members are, as of the last applied entry."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import structlog

from raftkv.apply.machine import StateMachine
from raftkv.pb.rpc import Member
from raftkv.peer.asks import Asks
from raftkv.peer.peers import Peers

log = structlog.get_logger(__name__)

REMOVAL_GRACE_S = 1.0
"""What a node that was removed may still take to say what it has to say (etcd: 1 s)."""


class Roster:
    """`peers` is set when the node begins to take part."""

    peers: Peers

    def __init__(
        self, machine: StateMachine, asks: Asks, loop: AbstractEventLoop, *, node_id: int, expelled: Callable[[], None]
    ) -> None:
        self._machine = machine
        self._asks = asks
        self._loop = loop
        self._node_id = node_id
        self._expelled = expelled
        self.told: Mapping[int, Member] = {}
        """What was last told: the state machine's own mapping, which it replaces when it changes."""

    def tell(self) -> None:
        """The members may have changed."""
        machine = self._machine
        members = self.told = machine.members
        if self._node_id in machine.removed:
            log.warning("this member was removed from the cluster")
            self._loop.call_later(REMOVAL_GRACE_S, self._expelled)
        self.peers.set_removed(machine.removed)
        self._asks.set_members(frozenset(members))
        self.peers.set_members({member.ID: member.peerURLs[0] for member in members.values() if member.peerURLs})
