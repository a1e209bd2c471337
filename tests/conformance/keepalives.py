"""A raw LeaseKeepAlive stream: ids in, (id, ttl) or the stream's error out."""

import queue
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from raftkv.errors import Code
from raftkv.pb import rpc
from tests.harness.calls import CHANNEL_OPTIONS, Failure


class RawKeepAlive:
    """One stream on a connection of its own."""

    def __init__(self, endpoint: str, metadata: Mapping[str, str] | None = None) -> None:
        self._channel = grpc.insecure_channel(endpoint, options=CHANNEL_OPTIONS)
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        method: Any = self._channel.stream_stream("/etcdserverpb.Lease/LeaseKeepAlive")
        self._answers = method(self._sent(), metadata=tuple((metadata or {}).items()), wait_for_ready=True)

    def send(self, *ids: int) -> None:
        for lease_id in ids:
            self._requests.put(rpc.LeaseKeepAliveRequest(ID=lease_id).SerializeToString())

    def end(self) -> None:
        """Nothing more is asked."""
        self._requests.put(None)

    def take(self) -> rpc.LeaseKeepAliveResponse | Failure | None:
        """The next answer, or how the stream ended: None, where it ended well."""
        try:
            return rpc.LeaseKeepAliveResponse.FromString(next(self._answers))
        except StopIteration:
            return None
        except grpc.RpcError as error:
            return Failure(Code(error.code().value[0]), error.details() or "")

    def ask(self, *ids: int) -> list[tuple[int, int]]:
        """The (id, ttl) that each is answered with."""
        self.send(*ids)
        answers = [self.take() for _ in ids]
        return [(answer.ID, answer.TTL) for answer in answers if isinstance(answer, rpc.LeaseKeepAliveResponse)]

    def close(self) -> None:
        self._requests.put(None)
        self._answers.cancel()
        self._channel.close()

    def _sent(self) -> Iterator[bytes]:
        while (request := self._requests.get()) is not None:
            yield request
