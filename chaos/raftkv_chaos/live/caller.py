"""Calls that are recorded: each request to the store becomes an operation of the history `store`.

What became of it is said by the client's error: nothing was sent, or it was refused before anything was done (`fail`); or nobody
knows (`info`). A process that does not know what became of its request goes on under another name.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from raftkv.client import Client
from raftkv.client.method import PUT, RANGE, READ_TXN, TXN, Method, Response
from raftkv.client.transaction import is_read
from raftkv.errors import (
    ConnectError,
    DeadlineExceededError,
    LeaseNotFoundError,
    NoLeaderError,
    NotLeaderError,
    OutcomeUnknownError,
    RaftKVError,
    TooManyRequestsError,
)
from raftkv.pb import kv, rpc
from raftkv_chaos.live.recorder import STORE, Recorder
from raftkv_jepsen.history import EventType

NEVER_DONE = (ConnectError, DeadlineExceededError, LeaseNotFoundError, NoLeaderError, NotLeaderError, TooManyRequestsError)
"""Errors of the client after which a write was certainly not done. For a deadline it says so only where nothing was sent."""
TARGETS = {"value": rpc.Compare.VALUE, "create": rpc.Compare.CREATE, "mod": rpc.Compare.MOD}

Step = tuple[str, dict[str, Any]]
Condition = tuple[str, str, str, Any]
"""Key, target, result, operand: as raftkv_jepsen.store has them."""


class Failed(Exception):  # noqa: N818  (an outcome, not an error of ours)
    """A call without an answer. `unknown`: whether it may have been done."""

    def __init__(self, error: RaftKVError | str, *, unknown: bool) -> None:
        super().__init__(str(error))
        self.unknown = unknown


def failed(error: RaftKVError, *, writes: bool) -> Failed:
    """What an error of the client says about its call."""
    sure = isinstance(error, NEVER_DONE) and not isinstance(error, OutcomeUnknownError)
    return Failed(error, unknown=writes and not sure)


class Caller:
    """One process of a history: a client, and a name that changes when it loses track."""

    def __init__(self, name: str, client: Client, recorder: Recorder) -> None:
        self.client = client
        self.recorder = recorder
        self._name = name
        self._lost = 0

    @property
    def process(self) -> str:
        """The name in the histories."""
        return f"{self._name}.{self._lost}" if self._lost else self._name

    async def record(
        self, history: str, f: str, value: Any, act: Callable[[], Awaitable[Any]], *, key: Any = None, writes: bool = True
    ) -> Any:
        """Records an operation; `act` answers what its completion holds.

        Raises:
            Failed: it has no answer; that is recorded, too.
        """
        process = self.process
        self.recorder.note(history, "invoke", process, f, value, key=key)
        try:
            answer = await act()
        except (RaftKVError, Failed) as error:
            outcome = error if isinstance(error, Failed) else failed(error, writes=writes)
            self._lost += outcome.unknown
            kind: EventType = "info" if outcome.unknown else "fail"
            self.recorder.note(history, kind, process, f, value, key=key, error=str(outcome)[:300])
            raise outcome from error
        self.recorder.note(history, "ok", process, f, answer, key=key)
        return answer

    async def call(self, f: str, value: dict[str, Any]) -> dict[str, Any]:
        """One request to the store, in the words of raftkv_jepsen.store, and its answer in the same."""
        method, message = request(f, value)

        async def act() -> dict[str, Any]:
            response = await self.client.call(method, message)
            self.recorder.saw_term(response.header.raft_term)
            return answer(response)

        recorded: dict[str, Any] = await self.record(STORE, f, value, act, writes=method not in {RANGE, READ_TXN})
        return recorded


def request(f: str, value: dict[str, Any]) -> tuple[Method[Any], Message]:
    """The method and message of a request."""
    if f == "range":
        return RANGE, _range(value)
    if f == "put":
        return PUT, _put(value)
    message = rpc.TxnRequest(
        compare=[_compare(condition) for condition in value.get("compare", ())],
        success=_steps(value.get("success", ())),
        failure=_steps(value.get("failure", ())),
    )
    return (READ_TXN if is_read(message) else TXN), message


def _range(value: dict[str, Any]) -> rpc.RangeRequest:
    return rpc.RangeRequest(
        key=value["key"].encode(), range_end=value.get("range_end", "").encode(), serializable=value.get("serializable", False)
    )


def _put(value: dict[str, Any]) -> rpc.PutRequest:
    return rpc.PutRequest(key=value["key"].encode(), value=value["value"].encode(), lease=value.get("lease", 0))


def _compare(condition: Condition) -> rpc.Compare:
    key, target, _, operand = condition
    compare = rpc.Compare(key=key.encode(), target=TARGETS[target], result=rpc.Compare.EQUAL)
    if target == "value":
        compare.value = operand.encode()
    elif target == "create":
        compare.create_revision = operand
    else:
        compare.mod_revision = operand
    return compare


def _steps(steps: Sequence[Step]) -> list[rpc.RequestOp]:
    return [
        rpc.RequestOp(request_range=_range(value)) if f == "range" else rpc.RequestOp(request_put=_put(value))
        for f, value in steps
    ]


def answer(response: Response) -> dict[str, Any]:
    """An answer of the store as raftkv_jepsen.store has it."""
    if isinstance(response, rpc.TxnResponse):
        parts = [_part(each) for each in response.responses]
        return {"succeeded": response.succeeded, "responses": parts, "revision": response.header.revision}
    if isinstance(response, rpc.RangeResponse):
        return {**_rows(response), "revision": response.header.revision}
    assert isinstance(response, rpc.PutResponse)
    return {"revision": response.header.revision}


def _part(response: rpc.ResponseOp) -> dict[str, Any]:
    return _rows(response.response_range) if response.WhichOneof("response") == "response_range" else {}


def _rows(response: rpc.RangeResponse) -> dict[str, Any]:
    return {"kvs": [row(each) for each in response.kvs], "count": response.count}


def row(found: kv.KeyValue) -> list[Any]:
    """A key as raftkv_jepsen.store.Row has it."""
    key, value = found.key.decode(), found.value.decode()
    return [key, value, found.create_revision, found.mod_revision, found.version, found.lease]
