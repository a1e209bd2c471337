"""What callers say about a call, besides the message: gRPC metadata as typed values.

hasleader                 "true": answer "no leader" at once where none is known (etcd's clients)
raftkv-request-id         <client id, hex>-<sequence>: a write is applied once, however often it is sent
raftkv-max-staleness-ms   a range may be answered from local state that is at most so old
"""

from collections.abc import Mapping

from raftkv.errors import InvalidRequestIdError, InvalidStalenessError
from raftkv.pb.command import RequestId

HAS_LEADER = "hasleader"
REQUEST_ID = "raftkv-request-id"
MAX_STALENESS = "raftkv-max-staleness-ms"
MAX_CLIENT_ID_BYTES = 64
MAX_SEQUENCE = 2**63 - 1

Metadata = Mapping[str, str | bytes]


def needs_leader(metadata: Metadata) -> bool:
    """Whether the caller would rather hear "no leader" than wait."""
    return metadata.get(HAS_LEADER) == "true"


def request_id(metadata: Metadata) -> RequestId | None:
    """Which request of which client this is, if the caller says so.

    Raises:
        InvalidRequestIdError: it says something else.
    """
    text = metadata.get(REQUEST_ID)
    if text is None:
        return None
    client, dash, sequence = str(text).rpartition("-")
    try:
        identifier, number = bytes.fromhex(client), int(sequence)
    except ValueError:
        identifier, number = b"", 0
    if not dash or not 1 <= len(identifier) <= MAX_CLIENT_ID_BYTES or not 1 <= number <= MAX_SEQUENCE:
        raise InvalidRequestIdError
    return RequestId(client=identifier, sequence=number)


def max_staleness_s(metadata: Metadata) -> float | None:
    """How old an answer may be, in seconds, if the caller says so.

    Raises:
        InvalidStalenessError: it says something else.
    """
    text = metadata.get(MAX_STALENESS)
    if text is None:
        return None
    if not str(text).isascii() or not str(text).isdigit():
        raise InvalidStalenessError
    return int(text) / 1000.0
