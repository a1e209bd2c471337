"""A cluster of one process: endpoints whose streams a test serves, breaks and holds up, under virtual time.

Each endpoint shares one history and one set of leases, as the nodes of a cluster do. It knows no more of the API than watches
and keepalives need: it tells what the client does, not whether a server is right.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from raftkv.client import Client
from raftkv.client.channel import Metadata, Reply, Stream, UnaryCall
from raftkv.client.endpoint import Endpoint
from raftkv.client.method import LEASE_GRANT, LEASE_KEEP_ALIVE_PATH, LEASE_REVOKE, WATCH_PATH
from raftkv.errors import Code, ConnectionBrokenError
from raftkv.pb import kv, rpc


class ServedStream:
    """One stream, both its ends."""

    def __init__(self, node: "Node", path: str) -> None:
        self.node = node
        self.path = path
        self.watches: dict[int, rpc.WatchCreateRequest] = {}
        self.reply: Reply | None = None
        self.muted = False
        self._messages: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._broken = False

    # --- the client's end

    async def send(self, body: bytes) -> None:
        if self._broken or self.reply is not None:
            raise self._error()
        self.node.cluster.serve(self, body)

    async def receive(self) -> bytes | None:
        while not self._messages:
            if self._broken:
                raise self._error()
            if self.reply is not None:
                return None
            self._news.clear()
            await self._news.wait()
        return self._messages.popleft()

    def end(self) -> None:
        pass

    def cancel(self) -> None:
        if self.reply is None and not self._broken:
            self.finish(Code.CANCELLED, "cancelled")

    # --- the server's end

    @property
    def open(self) -> bool:
        return self.reply is None and not self._broken

    def tell(self, message: rpc.WatchResponse | rpc.LeaseKeepAliveResponse) -> None:
        self._messages.append(message.SerializeToString())
        self._news.set()

    def finish(self, code: Code, text: str) -> None:
        self.reply = Reply(code, text, b"", ())
        self._news.set()

    def break_off(self) -> None:
        self._broken = True
        self._news.set()

    def _error(self) -> ConnectionBrokenError:
        return ConnectionBrokenError(str(self.node.endpoint), "broken", sent=True)


class Node:
    """One endpoint, as a Channel."""

    def __init__(self, cluster: "ClusterInMemory", endpoint: Endpoint) -> None:
        self.cluster = cluster
        self.endpoint = endpoint
        self.reachable = True
        self.answers_keepalives = True
        self.streams: list[ServedStream] = []

    async def unary(self, call: UnaryCall) -> Reply:
        if not self.reachable:
            raise ConnectionBrokenError(str(self.endpoint), "unreachable", sent=False)
        return Reply(Code.OK, "", self.cluster.answer(call), ())

    async def stream(self, path: str, metadata: Metadata = ()) -> Stream:
        assert (b"hasleader", b"true") in metadata
        if not self.reachable:
            raise ConnectionBrokenError(str(self.endpoint), "unreachable", sent=False)
        stream = ServedStream(self, path)
        self.streams.append(stream)
        return stream

    async def close(self) -> None:
        for stream in self.streams:
            stream.break_off()

    def fall_silent(self) -> None:
        """Breaks its streams, and can be reached no more."""
        self.reachable = False
        for stream in self.streams:
            stream.break_off()


class ClusterInMemory:
    """The nodes. `history`: the events of each revision, beginning with revision 2."""

    def __init__(self, size: int = 2) -> None:
        self.history: dict[int, list[kv.Event]] = {}
        self.revision = 1
        self.compacted = 0
        self.leases: dict[int, int] = {}
        self.renewals: list[float] = []
        self.nodes = [Node(self, Endpoint(f"node{number}", 1, tls=False)) for number in range(size)]

    def client(self, *, timeout: float = 5.0) -> Client:
        by_endpoint = {node.endpoint: node for node in self.nodes}
        names = [str(node.endpoint) for node in self.nodes]
        return Client(names, rng=Random(1), timeout=timeout, open_channel=lambda endpoint: by_endpoint[endpoint])

    def streams(self, path: str) -> list[ServedStream]:
        return [stream for node in self.nodes for stream in node.streams if stream.path == path and stream.open]

    def only(self, path: str = WATCH_PATH) -> ServedStream:
        """The stream that the client uses now."""
        (stream,) = self.streams(path)
        return stream

    # --- changes

    def change(self, key: bytes, count: int = 1, *, size: int = 0) -> int:
        """One revision with so many events, told to all who watch and are not muted."""
        self.revision += 1
        pair = kv.KeyValue(key=key, mod_revision=self.revision, value=bytes(size))
        self.history[self.revision] = [kv.Event(kv=pair)] * count
        for stream in self.streams(WATCH_PATH):
            for watch_id, create in stream.watches.items():
                if create.start_revision <= self.revision:
                    self._tell(stream, watch_id, [self.revision])
        return self.revision

    def _tell(self, stream: ServedStream, watch_id: int, revisions: list[int]) -> None:
        events = [event for revision in revisions for event in self.history[revision] if self._wants(stream, watch_id, event)]
        if events and not stream.muted:
            stream.tell(rpc.WatchResponse(header=self.header(), watch_id=watch_id, events=events))

    def _wants(self, stream: ServedStream, watch_id: int, event: kv.Event) -> bool:
        return event.kv.key.startswith(stream.watches[watch_id].key)

    def header(self) -> rpc.ResponseHeader:
        return rpc.ResponseHeader(revision=self.revision)

    # --- requests

    def serve(self, stream: ServedStream, body: bytes) -> None:
        if stream.path == LEASE_KEEP_ALIVE_PATH:
            self._renew(stream, rpc.LeaseKeepAliveRequest.FromString(body).ID)
            return
        request = rpc.WatchRequest.FromString(body)
        match request.WhichOneof("request_union"):
            case "create_request":
                self._create(stream, request.create_request)
            case "cancel_request":
                del stream.watches[request.cancel_request.watch_id]
                stream.tell(rpc.WatchResponse(watch_id=request.cancel_request.watch_id, canceled=True))
            case _:
                stream.tell(rpc.WatchResponse(header=self.header(), watch_id=-1))

    def _create(self, stream: ServedStream, create: rpc.WatchCreateRequest) -> None:
        watch_id = create.watch_id
        assert create.fragment
        if create.key == b"forbidden":
            reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
            stream.tell(rpc.WatchResponse(watch_id=-1, created=True, canceled=True, cancel_reason=reason))
            return
        stream.tell(rpc.WatchResponse(header=self.header(), watch_id=watch_id, created=True))
        start = create.start_revision or self.revision + 1
        if start <= self.compacted:
            stream.tell(rpc.WatchResponse(watch_id=watch_id, canceled=True, compact_revision=self.compacted + 1))
            return
        create.start_revision = start
        stream.watches[watch_id] = create
        self._tell(stream, watch_id, [revision for revision in self.history if revision >= start])

    def _renew(self, stream: ServedStream, lease_id: int) -> None:
        if stream.node.answers_keepalives:
            self.renewals.append(asyncio.get_running_loop().time())
            stream.tell(rpc.LeaseKeepAliveResponse(ID=lease_id, TTL=self.leases.get(lease_id, 0)))

    def answer(self, call: UnaryCall) -> bytes:
        answers: dict[str, Callable[[], rpc.LeaseGrantResponse | rpc.LeaseRevokeResponse]] = {
            LEASE_GRANT.path: lambda: self._grant(rpc.LeaseGrantRequest.FromString(call.body)),
            LEASE_REVOKE.path: lambda: self._revoke(rpc.LeaseRevokeRequest.FromString(call.body)),
        }
        return answers[call.path]().SerializeToString()

    def _grant(self, request: rpc.LeaseGrantRequest) -> rpc.LeaseGrantResponse:
        self.leases[request.ID] = request.TTL
        return rpc.LeaseGrantResponse(ID=request.ID, TTL=request.TTL)

    def _revoke(self, request: rpc.LeaseRevokeRequest) -> rpc.LeaseRevokeResponse:
        del self.leases[request.ID]
        return rpc.LeaseRevokeResponse()
