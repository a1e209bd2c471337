"""etcdserverpb.KV: range, put, delete, transactions, compaction.

Each handler: check what needs no state, admit, hand over. Writes go through the log as the bytes that came; reads look at
the local state when they may. Answers are replies, so none of it costs a task.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from raftkv.apply.command import COMPACT, DELETE_RANGE, PUT, TXN, body
from raftkv.errors import RequestTooLargeError
from raftkv.mvcc.checks import (
    check_compaction,
    check_delete_range,
    check_put,
    check_range,
    check_txn,
    is_read_only,
    is_serializable,
)
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.metadata import max_staleness_s, request_id
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.quota import Quota, cost_of_put
from raftkv.server.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest requests that are taken."""

    max_request_bytes: int = 1536 * 1024
    max_txn_ops: int = 128


class KV:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, limits: Limits, access: Access) -> None:
        self._replica = replica
        self._auth = replica.machine.auth
        self._access = access
        self._quota = quota
        self._limits = limits

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method("/etcdserverpb.KV/Range", Kind.UNARY, rpc.RangeRequest, rpc.RangeResponse, self.range),
            Method("/etcdserverpb.KV/Put", Kind.UNARY, rpc.PutRequest, rpc.PutResponse, self.put),
            Method(
                "/etcdserverpb.KV/DeleteRange",
                Kind.UNARY,
                rpc.DeleteRangeRequest,
                rpc.DeleteRangeResponse,
                self.delete_range,
            ),
            Method("/etcdserverpb.KV/Txn", Kind.UNARY, rpc.TxnRequest, rpc.TxnResponse, self.txn),
            Method("/etcdserverpb.KV/Compact", Kind.UNARY, rpc.CompactionRequest, rpc.CompactionResponse, self.compact),
        ]

    def checks(self) -> dict[str, Callable[[Any], None]]:
        """What makes a request wrong whoever sends it, by method."""
        return {
            "/etcdserverpb.KV/Range": check_range,
            "/etcdserverpb.KV/Put": check_put,
            "/etcdserverpb.KV/DeleteRange": check_delete_range,
            "/etcdserverpb.KV/Txn": lambda request: check_txn(request, self._limits.max_txn_ops),
        }

    def range(self, request: rpc.RangeRequest, call: Call) -> Reply[Any]:
        """Reads keys: linearizable, serializable, or of bounded staleness."""
        check_range(request)
        pieces: list[bytes] = []
        return self._read(
            lambda: self._replica.store.range(request, pieces), request, call, pieces, serializable=request.serializable
        )

    def put(self, request: rpc.PutRequest, call: Call) -> Reply[Any]:
        """Sets a key."""
        check_put(request)
        self._quota.check(cost_of_put(request))
        return self._write(PUT, call)

    def delete_range(self, request: rpc.DeleteRangeRequest, call: Call) -> Reply[Any]:
        """Deletes keys."""
        check_delete_range(request)
        return self._write(DELETE_RANGE, call)

    def txn(self, request: rpc.TxnRequest, call: Call) -> Reply[Any]:
        """Compares, then reads and writes atomically. One that only reads does not go through the log."""
        check_txn(request, self._limits.max_txn_ops)
        if is_read_only(request):
            return self._read(
                lambda: self._replica.store.read_txn(request), request, call, [], serializable=is_serializable(request)
            )
        self._quota.check_txn(request, len(call.body))
        return self._write(TXN, call)

    async def compact(self, request: rpc.CompactionRequest, call: Call) -> rpc.CompactionResponse:
        """Forgets versions below a revision; `physical` waits until they are gone here."""
        check_compaction(request)
        response: rpc.CompactionResponse = await self._write(COMPACT, call)
        if request.physical:
            await self._replica.scrubbed()
        return response

    def _write(self, tag: bytes, call: Call) -> Reply[Any]:
        if len(call.body) > self._limits.max_request_bytes:
            raise RequestTooLargeError
        return self._replica.propose(body(tag, call.body), request_id(call.metadata), call.author)

    def _read(
        self, look: Callable[[], Any], request: Message, call: Call, pieces: list[bytes], *, serializable: bool
    ) -> Reply[Any]:
        """`look` may move parts of a long answer into `pieces`, encoded. Whether the caller may see it, the same state says that
        the answer comes from.
        """

        def work() -> Any:
            if self._auth.enabled:
                self._access.check(call, request)
            revision = self._replica.store.revision
            response = look()
            if isinstance(response, Generator):
                return self._filled_later(response, revision, pieces)
            return self._filled(response, revision)

        if serializable:
            return self._replica.read_local(work)
        staleness = max_staleness_s(call.metadata)
        if staleness is not None:
            return self._replica.read_bounded(work, staleness)
        return self._replica.read(work)

    def _filled(self, response: Any, revision: int) -> Any:
        header = response.header
        self._replica.fill(header)
        header.revision = revision
        return response

    def _filled_later(
        self, steps: Generator[None, None, Any], revision: int, pieces: list[bytes]
    ) -> Generator[None, None, Any]:
        response = self._filled((yield from steps), revision)
        return [*pieces, response.SerializeToString()] if pieces else response
