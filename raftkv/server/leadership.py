"""Who leads, as this node knows it, and how leadership is handed over."""

from asyncio import AbstractEventLoop, Future, shield
from collections.abc import Callable

import structlog

from raftkv.apply.machine import StateMachine
from raftkv.raft.messages import NO_NODE
from raftkv.raft.raft import Raft
from raftkv.server.measured import Measured

log = structlog.get_logger(__name__)


class Leadership:
    """Asked once a turn whether it has moved."""

    def __init__(
        self,
        raft: Raft,
        machine: StateMachine,
        loop: AbstractEventLoop,
        *,
        node_id: int,
        measured: Measured,
        wake: Callable[[], None],
    ) -> None:
        self._raft = raft
        self._machine = machine
        self._loop = loop
        self._node_id = node_id
        self._measured = measured
        self._wake = wake
        self._leader = NO_NODE
        self._waiter: Future[None] | None = None

    def moved(self) -> bool:
        """Whether this node knows another leader than before, or none any more."""
        leader = self._raft.leader
        if leader == self._leader:
            return False
        self._leader = leader
        self._measured.leader_changes += leader != NO_NODE
        log.info("leader changed", leader=f"{leader:x}", term=self._raft.term)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        return True

    async def hand_over(self, target: int) -> None:
        """See Replica.hand_over."""
        while self._raft.leader == self._node_id and (successor := target or self._successor()) != NO_NODE:
            self._raft.transfer_leadership(successor)
            self._wake()
            await self._move()
        while target and self._raft.leader == NO_NODE:
            await self._move()

    async def _move(self) -> None:
        """Returns when leadership has moved."""
        if self._waiter is None or self._waiter.done():
            self._waiter = self._loop.create_future()
        await shield(self._waiter)

    def _successor(self) -> int:
        """The voter that is furthest along, but for this node."""
        voters = self._machine.membership.voters
        others = [
            (peer.match_index, node_id)
            for node_id, peer in self._raft.status().peers.items()
            if node_id != self._node_id and node_id in voters
        ]
        return max(others)[1] if others else NO_NODE
