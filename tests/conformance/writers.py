"""Clients that write without pause, retry under the same request id until a server acknowledges, and remember what was.

Three ways to be wrong are looked for: an acknowledged write that is gone, a write applied twice, and a conditional write
whose retry is told another outcome than the first try had.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from google.protobuf.message import Message

from raftkv.clock import SystemClock
from raftkv.errors import Code
from raftkv.pb import rpc
from tests.harness.calls import Caller, CallFailedError, Failure

CALL_TIMEOUT_S = 2.0
PAUSE_S = 0.02
GIVE_UP_S = 30.0
LOG_LENGTH = 200
CLOCK = SystemClock()
RETRYABLE = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.RESOURCE_EXHAUSTED}


class PersistentClient:
    """Sends a request to one node after the other until one answers it; a write keeps its request id over all tries."""

    def __init__(self, callers: Sequence[Caller], random: Random) -> None:
        self._callers = callers
        self._random = random
        self._id = random.randbytes(16).hex()
        self._sequence = 0
        self._pause = threading.Event()

    def write(self, request: Message) -> Any:
        """The acknowledgement, however many tries it takes."""
        self._sequence += 1
        return self._send(request, {"raftkv-request-id": f"{self._id}-{self._sequence}"})

    def read(self, key: bytes) -> rpc.RangeResponse:
        """A linearizable read."""
        answer: rpc.RangeResponse = self._send(rpc.RangeRequest(key=key), {})
        return answer

    def _send(self, request: Message, metadata: dict[str, str]) -> Any:
        give_up_at = CLOCK.now() + GIVE_UP_S
        while True:
            caller = self._random.choice(self._callers)
            answer = caller.call(request, timeout_s=CALL_TIMEOUT_S, metadata=metadata, wait=False)
            if not isinstance(answer, Failure):
                return answer
            if answer.code not in RETRYABLE or CLOCK.now() > give_up_at:
                raise CallFailedError(request, answer)
            self._pause.wait(PAUSE_S)


class Writer(Protocol):
    """One client's workload."""

    acknowledged: int

    def step(self) -> None:
        """One more acknowledged write."""
        ...

    def check(self, rows: dict[bytes, Any]) -> None:
        """Compares what was acknowledged with the rows of the store at the end."""
        ...


class UniqueKeys:
    """Writes every key once: at the end each is there, at its first version."""

    def __init__(self, client: PersistentClient, name: str) -> None:
        self.acknowledged = 0
        self._client = client
        self._prefix = f"unique/{name}/".encode()

    def step(self) -> None:
        number = self.acknowledged
        self._client.write(rpc.PutRequest(key=self._prefix + b"%d" % number, value=b"%d" % number))
        self.acknowledged += 1

    def check(self, rows: dict[bytes, Any]) -> None:
        found = {key: (row.value, row.version) for key, row in rows.items() if key.startswith(self._prefix)}
        assert found == {self._prefix + b"%d" % number: (b"%d" % number, 1) for number in range(self.acknowledged)}


class PutCounter:
    """Writes one key again and again: at the end its version is the number of acknowledgements."""

    def __init__(self, client: PersistentClient, name: str) -> None:
        self.acknowledged = 0
        self._client = client
        self._key = f"counter/{name}".encode()

    def step(self) -> None:
        number = self.acknowledged + 1
        self._client.write(rpc.PutRequest(key=self._key, value=b"%d" % number))
        self.acknowledged = number

    def check(self, rows: dict[bytes, Any]) -> None:
        row = rows[self._key]
        assert (row.version, row.value) == (self.acknowledged, b"%d" % self.acknowledged)


@dataclass
class SharedLog:
    """Appends to lists that several writers share, each append guarded by the list's mod_revision."""

    client: PersistentClient
    name: str
    acknowledged: int = 0
    _page: int = 0
    _refused: set[bytes] = field(default_factory=set)
    _accepted: set[bytes] = field(default_factory=set)

    def step(self) -> None:
        """Appends one element; a lost race is another element, so that refused ones can be told from accepted ones."""
        while True:
            element = f"{self.name}.{len(self._accepted) + len(self._refused)};".encode()
            if self._append(element):
                self._accepted.add(element)
                self.acknowledged += 1
                return
            self._refused.add(element)

    def _append(self, element: bytes) -> bool:
        key, value, mod_revision = self._open_page()
        guard = rpc.Compare(key=key, target=rpc.Compare.MOD, result=rpc.Compare.EQUAL, mod_revision=mod_revision)
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value + element))
        answer: rpc.TxnResponse = self.client.write(rpc.TxnRequest(compare=[guard], success=[put]))
        return answer.succeeded

    def _open_page(self) -> tuple[bytes, bytes, int]:
        """The list that still takes elements: key, value and mod_revision."""
        while True:
            key = b"log/%d" % self._page
            rows = self.client.read(key).kvs
            if not rows:
                return key, b"", 0
            if rows[0].value.count(b";") < LOG_LENGTH:
                return key, rows[0].value, rows[0].mod_revision
            self._page += 1

    def check(self, rows: dict[bytes, Any]) -> None:
        pages = b"".join(row.value for key, row in sorted(rows.items()) if key.startswith(b"log/"))
        mine = [element for element in pages.split(b";") if element.startswith(self.name.encode() + b".")]
        assert len(mine) == len(set(mine)), "an element was appended twice"
        assert {element + b";" for element in mine} == self._accepted
