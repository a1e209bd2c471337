"""Streams whose clients would rather hear "no leader" than wait (metadata `hasleader`): they end when there was none for long."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

from raftkv.errors import NoLeaderError, RequestError

MAX_LOOKS = 3
"""Looks in a row without a leader, an election timeout apart; as in etcd (server/etcdserver/api/v3rpc/interceptor.go)."""

End = Callable[[RequestError], None]
"""Ends one stream with an error."""


class LeaderlessStreams:
    """Looks for a leader as long as there are streams that need one."""

    def __init__(self, leader: Callable[[], int], loop: AbstractEventLoop, election_timeout_s: float) -> None:
        self._leader = leader
        self._loop = loop
        self._election_timeout_s = election_timeout_s
        self._streams: dict[End, None] = {}
        self._timer: TimerHandle | None = None
        self._looks = 0

    def add(self, end: End) -> None:
        """One more stream."""
        self._streams[end] = None
        if self._timer is None:
            self._looks = 0
            self._timer = self._loop.call_later(self._election_timeout_s, self._look)

    def remove(self, end: End) -> None:
        """The stream is over."""
        self._streams.pop(end, None)
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._election_timeout_s, self._look)
        self._looks = 0 if self._leader() else self._looks + 1
        if self._looks >= MAX_LOOKS:
            for end in list(self._streams):
                self.remove(end)
                end(NoLeaderError())
