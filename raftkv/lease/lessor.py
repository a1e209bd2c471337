"""The leases and the keys that hang on them.

    LEASES       id u64              -> granted TTL i64, remaining i64 (seconds)
    LEASE_KEYS   id u64, key         -> nothing

    id is in LEASES            <=> it is in `leases`
    (id, key) is in LEASE_KEYS <=> by_key[key] == id <=> key is in leases[id].keys
    the KeyValue of a key in by_key names that lease; a key that is not there names none

`remaining` is what was left of the lease at the last checkpoint; 0: its whole TTL, for it was granted or renewed since.
An id may be negative, as in etcd; its row sorts behind the others then.
"""

from collections.abc import Mapping
from heapq import merge
from struct import Struct
from types import MappingProxyType
from typing import Protocol

from raftkv.errors import LeaseExistsError, LeaseNotFoundError
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

_pack_id = Struct(">q").pack
_unpack_id = Struct(">q").unpack
_times = Struct(">qq")
_ID_BYTES = 8


class Lease:
    """One lease."""

    __slots__ = ("id", "keys", "remaining_s", "ttl_s")

    def __init__(self, identifier: int, ttl_s: int, remaining_s: int = 0) -> None:
        self.id = identifier
        self.ttl_s = ttl_s
        """As granted."""
        self.remaining_s = remaining_s
        """At the last checkpoint; 0: all of it."""
        self.keys: set[bytes] = set()


class Observer(Protocol):
    """Who is told of leases as they come and go; what it does must not change what is replicated."""

    def granted(self, lease: Lease) -> None:
        """There is a new lease."""
        ...

    def revoked(self, lease_id: int) -> None:
        """A lease is gone."""
        ...


class _Nobody:
    """For a machine that nobody observes."""

    def granted(self, lease: Lease) -> None:
        """Nobody wants to know."""

    def revoked(self, lease_id: int) -> None:
        """Nobody wants to know."""


class Lessor:
    """The leases. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay) -> None:
        self._state = state
        self._leases: dict[int, Lease] = {}
        self._by_key: dict[bytes, int] = {}
        self.by_key: Mapping[bytes, int] = MappingProxyType(self._by_key)
        """The lease of each key that hangs on one."""
        self.observer: Observer = _Nobody()

    @property
    def leases(self) -> Mapping[int, Lease]:
        """All leases by id, in the order in which they were granted or loaded; not to be changed."""
        return self._leases

    def exists(self, lease_id: int) -> bool:
        """Whether there is such a lease."""
        return lease_id in self._leases

    def keys(self, lease_id: int) -> list[bytes]:
        """The keys that hang on a lease, in order; none, where there is no such lease."""
        lease = self._leases.get(lease_id)
        return [] if lease is None else sorted(lease.keys)

    def sorted_keys(self, lease_id: int) -> Steps[list[bytes]]:
        """As `keys`, in slices: to sort a million keys takes half a second."""
        lease = self._leases.get(lease_id)
        if lease is None or len(lease.keys) <= SLICE_ROWS:
            return self.keys(lease_id)
        keys, runs = list(lease.keys), []
        for first in range(0, len(keys), SLICE_ROWS):
            runs.append(sorted(keys[first : first + SLICE_ROWS]))
            yield
        ordered: list[bytes] = []
        for key in merge(*runs):
            ordered.append(key)
            if len(ordered) % SLICE_ROWS == 0:
                yield
        return ordered

    def load(self) -> Steps[None]:
        """Takes up what the tables hold."""
        self._leases.clear()
        self._by_key.clear()
        for number, (row, value) in enumerate(self._state.scan(Table.LEASES), start=1):
            lease_id = _unpack_id(row)[0]
            self._leases[lease_id] = Lease(lease_id, *_times.unpack(value))
            if number % SLICE_ROWS == 0:
                yield
        for number, (row, _) in enumerate(self._state.scan(Table.LEASE_KEYS), start=1):
            lease_id, key = _unpack_id(row[:_ID_BYTES])[0], row[_ID_BYTES:]
            self._leases[lease_id].keys.add(key)
            self._by_key[key] = lease_id
            if number % SLICE_ROWS == 0:
                yield

    def grant(self, lease_id: int, ttl_s: int) -> Lease:
        """Adds a lease.

        Raises:
            LeaseExistsError: there is one of this id.
        """
        if lease_id in self._leases:
            raise LeaseExistsError
        lease = self._leases[lease_id] = Lease(lease_id, ttl_s)
        self._store(lease)
        self.observer.granted(lease)
        return lease

    def checkpoint(self, lease_id: int, remaining_s: int) -> None:
        """Notes what is left of a lease, if it is still there."""
        lease = self._leases.get(lease_id)
        if lease is not None and lease.remaining_s != remaining_s:
            lease.remaining_s = remaining_s
            self._store(lease)

    def remove(self, lease_id: int) -> None:
        """Removes a lease on which no key hangs any more.

        Raises:
            LeaseNotFoundError: there is no such lease.
        """
        lease = self._leases.pop(lease_id, None)
        if lease is None:
            raise LeaseNotFoundError
        assert not lease.keys, "keys outlive their lease"
        self._state.delete(Table.LEASES, _pack_id(lease_id))
        self.observer.revoked(lease_id)

    def hang(self, key: bytes, lease: int) -> None:
        """See raftkv.mvcc.leased."""
        before = self._by_key.pop(key, 0)
        if before:
            self._leases[before].keys.discard(key)
            self._state.delete(Table.LEASE_KEYS, _pack_id(before) + key)
        if lease:
            self._by_key[key] = lease
            self._leases[lease].keys.add(key)
            self._state.put(Table.LEASE_KEYS, _pack_id(lease) + key, b"")

    def _store(self, lease: Lease) -> None:
        self._state.put(Table.LEASES, _pack_id(lease.id), _times.pack(lease.ttl_s, lease.remaining_s))
