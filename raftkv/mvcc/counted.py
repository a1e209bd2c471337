"""Who counts what the live keys take, as the store tells whoever keeps quotas (raftkv.quotas).

    a put alone       counted, or refused, before anything is written
    a transaction     noted change by change while it is staged; counted, or refused, as a whole before it is committed

Most clusters have no quotas: then the store knows nobody to tell, and a put pays for one look at that.
"""

from typing import Protocol

from raftkv.mvcc.plain import read_varint

_VALUE = 0x2A
_LENGTH_DELIMITED = 2


class Tally(Protocol):
    """What one transaction would change."""

    def note(self, key: bytes, encoded: bytes | None, previous: bytes | None) -> None:
        """The key would hold this KeyValue after that one; None: it is not there."""
        ...

    def settle(self) -> None:
        """Counts it all. Raises QuotaExceededError, and then nothing is counted."""
        ...


class Counted(Protocol):
    """The quotas."""

    def put(self, key: bytes, encoded: bytes, previous: bytes | None) -> None:
        """Counts one change. Raises QuotaExceededError, and then nothing is counted."""
        ...

    def tally(self) -> Tally:
        """For a transaction."""
        ...


def content_bytes(key: bytes, encoded: bytes | None) -> int:
    """Bytes of a key and its value; none, where there is no KeyValue. What the store adds to them does not count."""
    if encoded is None:
        return 0
    length, at = read_varint(encoded, 1)
    at += length
    end = len(encoded)
    while at < end:
        tag = encoded[at]
        number, at = read_varint(encoded, at + 1)
        if tag == _VALUE:
            return len(key) + number
        assert tag & 7 != _LENGTH_DELIMITED, "a KeyValue with another field of bytes"
    return len(key)
