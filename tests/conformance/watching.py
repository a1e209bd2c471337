"""Watch streams as plain as they come, to compare what two servers send on them."""

import queue
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from raftkv.pb import rpc

PATH = "/etcdserverpb.Watch/Watch"
PATIENCE_S = 10.0


class RawWatch:
    """One stream: requests out, responses in, in order."""

    def __init__(self, endpoint: str, metadata: Mapping[str, str] | None = None) -> None:
        self._channel = grpc.insecure_channel(
            endpoint, options=[("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        )
        self._requests: queue.Queue[rpc.WatchRequest | None] = queue.Queue()
        method: Any = self._channel.stream_stream(
            PATH,
            request_serializer=rpc.WatchRequest.SerializeToString,
            response_deserializer=rpc.WatchResponse.FromString,
        )
        self.call: Any = method(
            iter(self._requests.get, None), timeout=PATIENCE_S * 6, metadata=tuple((metadata or {}).items())
        )

    def create(self, key: bytes = b"", range_end: bytes = b"", **options: Any) -> None:
        self._requests.put(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=key, range_end=range_end, **options)))

    def cancel(self, watch_id: int) -> None:
        self._requests.put(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=watch_id)))

    def progress(self) -> None:
        self._requests.put(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))

    def send(self, request: rpc.WatchRequest) -> None:
        self._requests.put(request)

    def half_close(self) -> None:
        """The client asks nothing more."""
        self._requests.put(None)

    def take(self, count: int = 1) -> list[rpc.WatchResponse]:
        """The next responses, without what differs between clusters."""
        return [without_identity(next(self.call)) for _ in range(count)]

    def events(self, count: int) -> list[rpc.WatchResponse]:
        """Responses with so many events together."""
        taken: list[rpc.WatchResponse] = []
        while sum(len(response.events) for response in taken) < count:
            taken += self.take()
        return taken

    def __iter__(self) -> Iterator[rpc.WatchResponse]:
        return iter(self.call)

    def close(self) -> None:
        self._requests.put(None)
        self.call.cancel()
        self._channel.close()


def without_identity(response: rpc.WatchResponse) -> rpc.WatchResponse:
    """A response without what may differ between two clusters."""
    for field in ("cluster_id", "member_id", "raft_term"):
        response.header.ClearField(field)
    return response
