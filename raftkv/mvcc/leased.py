"""Which keys hang on which lease, as the store tells whoever keeps the leases (raftkv.lease).

A key hangs on the lease of its last put, or on none. Most keys never hang on one, so all they cost is one look into a dict.
"""

from collections.abc import Mapping
from typing import Protocol


class Leased(Protocol):
    """The keys that hang on leases."""

    by_key: Mapping[bytes, int]
    """The lease of each key that hangs on one. It is always the same mapping, so that the store can hold on to it."""

    def hang(self, key: bytes, lease: int) -> None:
        """The key hangs on this lease from now on, and on no other; 0 is none."""
        ...


class NoneLeased:
    """For a store without leases."""

    def __init__(self) -> None:
        self.by_key: Mapping[bytes, int] = {}

    def hang(self, key: bytes, lease: int) -> None:
        """Nobody wants to know."""
