"""Request ids: a write that is retried, at whatever node and after whatever crash, is applied once.

A client numbers its writes from 1 and retries under the same number, with at most 128 of them outstanding. The table is part
of the replicated state, so every replica and every later leader decides alike.

    sequence        > highest           new: apply
                    in the window       known: its answer again; unknown: apply (it was overtaken)
                    <= highest - 128    expired: nobody knows any more

    REQUESTS        client, sequence u64 -> log index u64, kind u8, answer

In memory a client is its highest sequence and 128 bits that say which ones of the window are known; the answers stay in
the table, and are read only for a retry. Of more than 65,536 clients those that wrote last are remembered: the order is
that of the log, and at load that of the indexes in the rows.
"""

from collections import OrderedDict
from enum import IntEnum
from typing import NamedTuple

from raftkv.apply.outcome import Response
from raftkv.errors import AnswerNotKeptError, Code, RequestError, RequestIdExpiredError
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb import rpc
from raftkv.pb.quota import RemoveQuotaResponse, SetQuotaResponse
from raftkv.pb.rendezvous import RendezvousResponse
from raftkv.pb.rpc import (
    AlarmResponse,
    CompactionResponse,
    DeleteRangeResponse,
    LeaseGrantResponse,
    LeaseRevokeResponse,
    PutResponse,
    TxnResponse,
)
from raftkv.pb.update import UpdateResponse
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

WINDOW = 128
"""Sequences of a client that are remembered, its highest one included."""

MAX_CLIENTS = 65_536
"""Clients that are remembered."""

MAX_ANSWER_BYTES = 4096
"""A longer answer is not kept: a retry is told that the write was applied, and no more."""

MAX_UPDATE_ANSWER_BYTES = 4 * 1024 * 1024
"""For updates, whose answers many wait for at once, and which are nothing without them."""

_SEQUENCE_BYTES = 8
_REQUESTS = Table.REQUESTS


class _Kind(IntEnum):
    """The kinds of answers that are no messages."""

    NO_ANSWER = 0
    ERROR = 1
    NOT_KEPT = 2


_RESPONSES: dict[int, type[Response]] = {
    3: PutResponse,
    4: DeleteRangeResponse,
    5: TxnResponse,
    6: CompactionResponse,
    7: AlarmResponse,
    8: LeaseGrantResponse,
    9: LeaseRevokeResponse,
    32: rpc.AuthEnableResponse,
    33: rpc.AuthDisableResponse,
    34: rpc.AuthUserAddResponse,
    35: rpc.AuthUserDeleteResponse,
    36: rpc.AuthUserChangePasswordResponse,
    37: rpc.AuthUserGrantRoleResponse,
    38: rpc.AuthUserRevokeRoleResponse,
    39: rpc.AuthRoleAddResponse,
    40: rpc.AuthRoleDeleteResponse,
    41: rpc.AuthRoleGrantPermissionResponse,
    42: rpc.AuthRoleRevokePermissionResponse,
    43: UpdateResponse,
    44: RendezvousResponse,
    45: SetQuotaResponse,
    46: RemoveQuotaResponse,
}
"""The kinds of answers that are messages. The numbers stand in the rows: they are never reused."""
_RESPONSE_KINDS = {response: kind for kind, response in _RESPONSES.items()}


class Answer(NamedTuple):
    """What a retry gets; at most one of the two."""

    response: Response | None = None
    error: RequestError | None = None


class _Client:
    """Invariant: bit i of `known` stands for sequence `highest - i`; bit 0 is set."""

    __slots__ = ("highest", "known")

    def __init__(self, highest: int) -> None:
        self.highest = highest
        self.known = 1

    def move(self, sequence: int) -> int:
        """Makes a higher sequence the highest. Returns which ones left the window, as bits below the old highest."""
        shift = sequence - self.highest
        stay = max(0, WINDOW - shift)
        left = self.known >> stay << stay
        kept = self.known ^ left
        self.known = kept << shift | 1 if kept else 1
        self.highest = sequence
        return left


class RequestTable:
    """Which requests were applied, and what they were answered."""

    def __init__(self, state: Overlay, max_clients: int = MAX_CLIENTS) -> None:
        self._state = state
        self._max_clients = max_clients
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        """The one that wrote last is the last."""

    def __len__(self) -> int:
        return len(self._clients)

    def load(self) -> Steps[None]:
        """Takes up what the table holds."""
        clients: dict[bytes, _Client] = {}
        latest: dict[bytes, int] = {}
        for number, (row, value) in enumerate(self._state.scan(_REQUESTS), start=1):
            client, sequence = row[:-_SEQUENCE_BYTES], int.from_bytes(row[-_SEQUENCE_BYTES:], "big")
            if client in clients:  # its rows come in the order of their sequences
                clients[client].move(sequence)
            else:
                clients[client] = _Client(sequence)
            latest[client] = max(latest.get(client, 0), int.from_bytes(value[:8], "big"))
            if number % SLICE_ROWS == 0:
                yield
        self._clients = OrderedDict((client, clients[client]) for client in sorted(latest, key=latest.__getitem__))

    def find(self, client: bytes, sequence: int) -> Answer | None:
        """What was answered before; None: the request is new and is to be applied."""
        entry = self._clients.get(client)
        if entry is None or sequence > entry.highest:
            return None
        age = entry.highest - sequence
        if age >= WINDOW:
            return Answer(error=RequestIdExpiredError())
        if not entry.known >> age & 1:
            return None
        row = self._state.get(_REQUESTS, _row(client, sequence))
        assert row is not None, f"request {sequence} of {client.hex()} is known, but has no row"
        return _decode(row[8], row[9:])

    def keep(self, client: bytes, sequence: int, index: int, answer: Answer) -> None:
        """Remembers an answer. Not for a sequence that `find` knows or calls expired."""
        entry = self._clients.get(client)
        if entry is None:
            entry = self._clients[client] = _Client(sequence)
            if len(self._clients) > self._max_clients:
                oldest, gone = self._clients.popitem(last=False)
                self._forget(oldest, gone.highest, gone.known)
        elif sequence <= entry.highest:
            entry.known |= 1 << (entry.highest - sequence)
        else:
            highest = entry.highest
            self._forget(client, highest, entry.move(sequence))
        self._clients.move_to_end(client)
        self._state.put(_REQUESTS, _row(client, sequence), index.to_bytes(8, "big") + _encode(answer))

    def _forget(self, client: bytes, highest: int, bits: int) -> None:
        """Deletes the rows of the sequences that `bits` stands for, as `_Client.known` does."""
        while bits:
            age = bits.bit_length() - 1
            self._state.delete(_REQUESTS, _row(client, highest - age))
            bits ^= 1 << age


def _row(client: bytes, sequence: int) -> bytes:
    return client + sequence.to_bytes(_SEQUENCE_BYTES, "big")


def _encode(answer: Answer) -> bytes:
    if answer.error is not None:
        return bytes((_Kind.ERROR, answer.error.code)) + str(answer.error).encode()
    if answer.response is None:
        return bytes((_Kind.NO_ANSWER,))
    encoded = answer.response.SerializeToString()
    if len(encoded) > (MAX_UPDATE_ANSWER_BYTES if isinstance(answer.response, UpdateResponse) else MAX_ANSWER_BYTES):
        return bytes((_Kind.NOT_KEPT,))
    return bytes((_RESPONSE_KINDS[type(answer.response)],)) + encoded


def _decode(kind: int, encoded: bytes) -> Answer:
    match kind:
        case _Kind.NO_ANSWER:
            return Answer()
        case _Kind.ERROR:
            return Answer(error=RequestError(encoded[1:].decode(), code=Code(encoded[0])))
        case _Kind.NOT_KEPT:
            return Answer(error=AnswerNotKeptError())
        case _:
            return Answer(_RESPONSES[kind].FromString(encoded))
