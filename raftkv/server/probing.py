"""Looks at the other members once a second: how long a question takes, whether their clocks agree, what they run, how far they are.

Every node asks every other one, for each sees another way. None of it decides anything: it is for metrics and operators. Raft and
leases compare no clocks, but certificates, logs and people do.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Final

from raftkv.clock import Clock
from raftkv.errors import MalformedRequestError, RequestError
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.measured import Histogram
from raftkv.server.replica import Replica

INTERVAL_S: Final = 1.0
PATIENCE_S: Final = 3.0
ROUND_TRIP_BOUNDS_S: Final = tuple(0.0001 * 2**power for power in range(15))
"""etcd's buckets: 0.1 ms to 1.6 s."""
MAX_VERSION_BYTES: Final = 32

_answer = Struct("<d")


@dataclass(frozen=True, slots=True)
class Probe:
    """What one answer told of another member."""

    clock_ahead_s: float
    """How far its clock is ahead of ours; wrong by at most half of the round trip."""
    version: str
    """Of its raftkv."""


class PeerProbes:
    """One node's view of the others. What it shows is replaced as a whole, for it is read on other threads."""

    def __init__(self, replica: Replica, clock: Clock, unix_time: Callable[[], float], version: str) -> None:
        self._replica = replica
        self._clock = clock
        self._unix_time = unix_time
        self._version = version.encode()[:MAX_VERSION_BYTES]
        self.round_trip_s: Mapping[int, Histogram] = {}
        self.last: Mapping[int, Probe] = {}
        """The newest answer of each member that has answered."""
        self.match_indexes: Mapping[int, int] = {}
        """On a leader: up to where each follower's log is known to equal ours."""
        replica.asks.serve(Kind.PROBE, self._answer)

    async def keep_probing(self) -> None:
        """Asks all members again and again."""
        while True:
            self.probe()
            await asyncio.sleep(INTERVAL_S)

    def probe(self) -> None:
        """Asks each once."""
        replica = self._replica
        others = [member for member in replica.members if member != replica.settings.node_id]
        self.round_trip_s = {member: self.round_trip_s.get(member) or Histogram(ROUND_TRIP_BOUNDS_S) for member in others}
        self.last = {member: probe for member, probe in self.last.items() if member in self.round_trip_s}
        self.match_indexes = replica.match_indexes()
        for member in others:
            asked = replica.asks.ask(member, Kind.PROBE, b"", PATIENCE_S)
            asked.add_done_callback(partial(self._answered, member, self._clock.now(), self._unix_time()))

    def _answered(self, member: int, began: float, wall: float, reply: Reply[bytes]) -> None:
        error = reply.exception()
        if error is not None:
            if not isinstance(error, RequestError):
                raise error
            return  # away, or of a version that knows no probes
        took = self._clock.now() - began
        histogram = self.round_trip_s.get(member)
        if histogram is None or len(reply.result()) < _answer.size:
            return
        histogram.observe(took)
        (theirs,) = _answer.unpack_from(reply.result())
        version = reply.result()[_answer.size :].decode(errors="replace")
        self.last = {**self.last, member: Probe(theirs - (wall + took / 2), version)}

    def _answer(self, question: bytes, source: int) -> Reply[bytes]:  # noqa: ARG002 (all may ask)
        if question:
            raise MalformedRequestError
        reply: Reply[bytes] = Reply()
        reply.set_result(_answer.pack(self._unix_time()) + self._version)
        return reply
