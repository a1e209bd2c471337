r"""When leases end, as the leader reckons: plain values, and time is an argument.

    running ---deadline passed, `due`---> ending: it is proposed that it be revoked
       ^  \---renew---v                      |---`forget`: it is revoked
       '--------------'                      '---`spare`: certainly not revoked, runs again

A lease that is ending cannot be renewed: whoever promised that could not keep it. One whose deadline has passed, but of which
nobody has said so to the log yet, can: the renewal was slow, and so was the leader.

A heap has each lease once, at a time at or before its deadline. A renewal only moves the deadline; the heap learns of it when
the old one passes. So renewing costs a look into a dict, and once in a TTL one step of the heap.

A new leader takes over all leases, which may be very many, in slices. Whatever is asked meanwhile of a lease that was not taken over
yet is answered as if it had been: its end counts from the beginning of the leader, not from the slice. So nothing ends early,
and what ends late does so by the time that the slices take.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import ceil
from typing import NamedTuple

from raftkv.lease import Lease
from raftkv.mvcc.steps import SLICE_ROWS, Steps

SPREAD = 0.75
"""Where many leases end at the same time under a new leader, they are spread to so much of what may be revoked in a second."""
STEPS = 1000
"""Rows of a heap that are looked at in one go: a millisecond."""
STALE_ROWS = 1000
"""The heaps are cleaned when they have so many rows more than twice the leases."""


class _Timed:
    """One lease."""

    __slots__ = ("checkpoint", "checkpoint_row", "deadline", "ending", "row", "ttl_s")

    def __init__(self, ttl_s: int, deadline: float) -> None:
        self.ttl_s = ttl_s
        self.deadline = deadline
        self.row = deadline
        """Its place in the heap; a row of another time is an old one."""
        self.checkpoint_row = 0.0
        """As `row`, in the heap of checkpoints."""
        self.ending = False
        self.checkpoint = 0
        """The number of the checkpoint that may have told the log of less than the whole TTL; 0: there is none."""


class Renewed(NamedTuple):
    """What became of renewals."""

    ttls: list[int]
    """The new TTL of each; 0: there is no such lease."""
    ending: bool
    """Some are ending: ask again when that is settled. Nothing was promised to anybody."""
    understated: list[int]
    """Of these the log may say less than is now true: it must be told before the renewal is promised."""


class LeaseTimes:
    """The leases of one leader."""

    def __init__(self, *, revokes_per_s: float, checkpoint_interval_s: float) -> None:
        self._gap_s = 1 / (SPREAD * revokes_per_s)
        self._checkpoint_interval_s = checkpoint_interval_s
        self._timed: dict[int, _Timed] = {}
        self._heap: list[tuple[float, int]] = []
        self._checkpoints: list[tuple[float, int]] = []
        self._checkpoint = 0
        self._untimed: Mapping[int, Lease] = {}
        """All leases, while those are taken over that were there when this leader began."""
        self._began_at = 0.0
        self._extension_s = 0.0

    def __len__(self) -> int:
        return len(self._timed)

    def clear(self) -> None:
        """Forgets everything: this node leads no more."""
        self._timed.clear()
        self._heap.clear()
        self._checkpoints.clear()
        self._untimed = {}

    def begin(self, leases: Mapping[int, Lease], now: float, extension_s: float) -> Steps[None]:
        """A new leader knows of no renewals: each lease gets its whole TTL, or what was left at its checkpoint, and the time that
        an election takes. `leases` are all that there are, at any time. The steps take them over; they are dropped where
        leadership ends before they do.
        """
        self.clear()
        self._untimed, self._began_at, self._extension_s = leases, now, extension_s
        return self._take_over(list(leases.values()))

    def _take_over(self, leases: list[Lease]) -> Steps[None]:
        """Those that end first come first, and where many would end together, each gets a place after the one before it."""
        by_time: dict[int, list[Lease]] = {}
        for number, lease in enumerate(leases, start=1):
            by_time.setdefault(_left_s(lease), []).append(lease)
            if number % SLICE_ROWS == 0:
                yield
        slot, gap_s = self._began_at, self._gap_s
        begun = self._began_at + self._extension_s
        number = 0
        for time_s in sorted(by_time):
            for lease in by_time[time_s]:
                slot = max(begun + time_s, slot + gap_s)
                if self._is_untimed(lease):
                    self._take_up(lease, slot)
                number += 1
                if number % SLICE_ROWS == 0:
                    yield
        self._untimed = {}

    def _is_untimed(self, lease: Lease) -> bool:
        """Whether it was there when this leader began, still is, and was not asked for since."""
        return self._untimed.get(lease.id) is lease and lease.id not in self._timed

    def _take_up(self, lease: Lease, deadline: float) -> _Timed:
        """A lease that was there when this leader began."""
        timed = self._add(lease, deadline, self._began_at)
        if lease.remaining_s:
            timed.checkpoint = -1
        return timed

    def _add(self, lease: Lease, deadline: float, since: float) -> _Timed:
        timed = self._timed[lease.id] = _Timed(lease.ttl_s, deadline)
        heappush(self._heap, (deadline, lease.id))
        self._remind(lease.id, timed, since + self._checkpoint_interval_s)
        return timed

    def grant(self, lease: Lease, now: float) -> None:
        """A lease begins."""
        self._add(lease, now + lease.ttl_s, now)

    def forget(self, lease_id: int) -> None:
        """A lease is revoked."""
        if self._timed.pop(lease_id, None) is not None:
            self._clean()

    def remaining_s(self, lease_id: int, now: float) -> int:
        """Whole seconds that are left of a lease that is there."""
        timed = self._timed.get(lease_id) or self._untimed_one(lease_id)
        assert timed is not None, "whoever asks knows that there is such a lease"
        return max(0, int(timed.deadline - now))

    def _untimed_one(self, lease_id: int) -> _Timed | None:
        """A lease that is asked for before its slice has come; None: there is no such lease."""
        lease = self._untimed.get(lease_id)
        if lease is None:
            return None
        return self._take_up(lease, self._began_at + self._extension_s + _left_s(lease))

    # --- renewing -------------------------------------------------------------------------------------------------

    def renew(self, lease_ids: Sequence[int], now: float) -> Renewed:
        """Begins the TTL of each anew."""
        ttls: list[int] = []
        ending = False
        understated: list[int] = []
        find = self._timed.get
        for lease_id in lease_ids:
            timed = find(lease_id) or self._untimed_one(lease_id)
            if timed is None:
                ttls.append(0)
                continue
            ttls.append(timed.ttl_s)
            if timed.ending:
                ending = True
                continue
            timed.deadline = now + timed.ttl_s
            if timed.checkpoint:
                understated.append(lease_id)
        return Renewed(ttls, ending, understated)

    def checkpoint_number(self) -> int:
        """The newest checkpoint: what `restated` is to be given."""
        return self._checkpoint

    def restated(self, lease_ids: Iterable[int], checkpoint: int) -> None:
        """The log now says that the whole TTL is left of these, which was proposed after that checkpoint."""
        for lease_id in lease_ids:
            timed = self._timed.get(lease_id)
            if timed is not None and timed.checkpoint <= checkpoint:
                timed.checkpoint = 0

    # --- ending ---------------------------------------------------------------------------------------------------

    def due(self, now: float, limit: int) -> list[int]:
        """Leases whose time is over, the oldest first, at most `limit`: they are ending from now on."""
        due: list[int] = []
        heap = self._heap
        for _ in range(STEPS):
            if not heap or heap[0][0] > now or len(due) >= limit:
                break
            row, lease_id = heappop(heap)
            timed = self._timed.get(lease_id)
            if timed is None or timed.row != row or timed.ending:
                continue
            if timed.deadline > now:
                timed.row = timed.deadline
                heappush(heap, (timed.row, lease_id))
            else:
                timed.ending = True
                due.append(lease_id)
        return due

    def still_ending(self, lease_ids: Iterable[int]) -> list[int]:
        """Those of them that are not revoked yet."""
        return [lease_id for lease_id in lease_ids if lease_id in self._timed]

    def spare(self, lease_ids: Iterable[int], until: float) -> None:
        """These were certainly not revoked: they run until then, unless they are renewed."""
        for lease_id in lease_ids:
            timed = self._timed.get(lease_id)
            if timed is not None:
                timed.ending = False
                timed.deadline = timed.row = until
                heappush(self._heap, (until, lease_id))

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def checkpoints_due(self, now: float, limit: int) -> list[tuple[int, int]]:
        """Leases of which the log should know what is left, and how many seconds that is; at most `limit`."""
        due: list[tuple[int, int]] = []
        heap = self._checkpoints
        self._checkpoint += 1
        for _ in range(STEPS):
            if not heap or heap[0][0] > now or len(due) >= limit:
                break
            row, lease_id = heappop(heap)
            timed = self._timed.get(lease_id)
            if timed is None or timed.checkpoint_row != row or timed.ending:
                continue
            left = timed.deadline - now
            renewed = now - timed.ttl_s + left
            if (
                now - renewed < self._checkpoint_interval_s
            ):  # renewed meanwhile: the log still says the whole TTL, which will do
                self._remind(lease_id, timed, renewed + self._checkpoint_interval_s)
                continue
            self._remind(lease_id, timed, now + self._checkpoint_interval_s)
            if left > 0:
                timed.checkpoint = self._checkpoint
                due.append((lease_id, min(ceil(left), timed.ttl_s)))
        return due

    def _remind(self, lease_id: int, timed: _Timed, at: float) -> None:
        """A checkpoint is due then. A shorter lease never needs one."""
        if timed.ttl_s > self._checkpoint_interval_s:
            timed.checkpoint_row = at
            heappush(self._checkpoints, (at, lease_id))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _clean(self) -> None:
        """Leases that were revoked early leave rows behind, for as long as they would have lived."""
        most = 2 * len(self._timed) + STALE_ROWS
        if len(self._heap) > most:
            self._heap = [(timed.row, lease_id) for lease_id, timed in self._timed.items() if not timed.ending]
            heapify(self._heap)
        if len(self._checkpoints) > most:
            rows = self._checkpoints
            self._checkpoints = [row for row in rows if (timed := self._timed.get(row[1])) and timed.checkpoint_row == row[0]]
            heapify(self._checkpoints)


def _left_s(lease: Lease) -> int:
    """What the log knows to be left of a lease."""
    return lease.remaining_s or lease.ttl_s
