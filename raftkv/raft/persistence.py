"""What goes to disk, and when: one persist at a time, and everything that waits for it."""

from raftkv.raft.messages import HardState, Message
from raftkv.raft.node import Node
from raftkv.raft.ready import Persist


class Persistence:
    """The way of entries, hard state and snapshots to the disk.

    nothing in flight --take--> in flight --done--> nothing in flight

    The commit index travels with other writes; alone it goes at most once a tick and unsynced: losing it only means to
    learn it again (paper, Figure 2: volatile).
    """

    __slots__ = ("_handed", "_in_flight", "_node", "_tick_due")

    def __init__(self, node: Node, hard_state: HardState) -> None:
        self._node = node
        self._handed = hard_state
        self._in_flight: Persist | None = None
        self._tick_due = False

    @property
    def in_flight(self) -> bool:
        """Whether a persist was handed out that is not synced yet."""
        return self._in_flight is not None

    def tick(self) -> None:
        """The commit index may travel alone now."""
        self._tick_due = self._handed.commit != self._node.log.commit

    def _must_sync(self) -> bool:
        node, log = self._node, self._node.log
        return (
            log.handed < log.last_index
            or log.pending_snapshot is not None
            or node.term != self._handed.term
            or node.vote != self._handed.vote
        )

    def wanted(self) -> bool:
        """Whether `take` would do something."""
        return self._in_flight is None and (bool(self._node.deferred) or self._tick_due or self._must_sync())

    def take(self) -> Persist | None:
        """The next persist, if there is something to write. Deferred messages that need not wait any more go out at once."""
        if self._in_flight is not None:
            return None
        node, log = self._node, self._node.log
        must_sync = self._must_sync()
        deferred: list[Message] = []
        node.deferred, deferred = deferred, node.deferred
        if not must_sync:
            node.messages += deferred
            if not self._tick_due:
                return None
            deferred = []
        self._tick_due = False
        hard_state = HardState(node.term, node.vote, log.commit)
        changed = hard_state if hard_state != self._handed else None
        self._handed = hard_state
        self._in_flight = Persist(changed, log.pending_snapshot, log.hand_over(), deferred, must_sync)
        return self._in_flight

    def done(self, persist: Persist) -> None:
        """The persist in flight is on disk."""
        assert persist is self._in_flight, "only the persist in flight can become durable"
        self._in_flight = None
        node, log = self._node, self._node.log
        if persist.hard_state is not None:
            node.durable_term = persist.hard_state.term
        if persist.snapshot is not None and persist.snapshot is log.pending_snapshot:
            log.pending_snapshot = None
        log.persisted()
