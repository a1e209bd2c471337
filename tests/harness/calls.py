"""A gRPC caller that adds nothing: a message in, and the response message or the status out.

Which path and response type belong to a request is read from the services' descriptors, so every unary method of the
API can be called without a line here.
"""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from raftkv.errors import Code
from raftkv.pb import election, health, lock, rpc, update

CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # channels share nothing, so one test's broken connection is not another's
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)


class Failure(NamedTuple):
    """A call that was answered with a status other than OK."""

    code: Code
    details: str


class CallFailedError(Exception):
    """A call that had to succeed and did not."""

    def __init__(self, request: Message, failure: Failure) -> None:
        super().__init__(f"{type(request).__name__} answered {failure.code.name}: {failure.details}")
        self.failure = failure


class Route(NamedTuple):
    """Where a request goes and what comes back."""

    path: str
    response: type[Message]


def _unary_routes(*files: FileDescriptor) -> Iterator[tuple[type[Message], Route]]:
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                if not method.client_streaming and not method.server_streaming:
                    route = Route(f"/{service.full_name}/{method.name}", GetMessageClass(method.output_type))
                    yield GetMessageClass(method.input_type), route


ROUTES: Mapping[type[Message], Route] = dict(
    _unary_routes(rpc.DESCRIPTOR, lock.DESCRIPTOR, election.DESCRIPTOR, health.DESCRIPTOR, update.DESCRIPTOR),
)


class Caller:
    """One connection to one server; safe to use from several threads."""

    def __init__(self, endpoint: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.endpoint = endpoint
        self._channel = (
            grpc.insecure_channel(endpoint, options=CHANNEL_OPTIONS)
            if credentials is None
            else grpc.secure_channel(endpoint, credentials, options=CHANNEL_OPTIONS)
        )

    def call(
        self, request: Message, *, timeout_s: float = 10.0, metadata: Mapping[str, str] | None = None, wait: bool = True
    ) -> Any:
        """The response message, or a Failure. `wait`: wait for a connection until the time is up, else fail at once."""
        route = ROUTES[type(request)]
        answer = self.call_raw(route.path, request.SerializeToString(), timeout_s=timeout_s, metadata=metadata, wait=wait)
        return answer if isinstance(answer, Failure) else route.response.FromString(answer)

    def call_raw(
        self, path: str, body: bytes, *, timeout_s: float = 10.0, metadata: Mapping[str, str] | None = None, wait: bool = True
    ) -> bytes | Failure:
        """As `call`, with bytes in place of messages: for requests that do not parse and methods that do not exist."""
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        try:
            answer: bytes = method(body, timeout=timeout_s, metadata=tuple((metadata or {}).items()), wait_for_ready=wait)
        except grpc.RpcError as error:
            return Failure(Code(error.code().value[0]), error.details() or "")
        return answer

    def ask(self, request: Message, *, timeout_s: float = 10.0, metadata: Mapping[str, str] | None = None) -> Any:
        """The response message of a call that has to succeed."""
        answer = self.call(request, timeout_s=timeout_s, metadata=metadata)
        if isinstance(answer, Failure):
            raise CallFailedError(request, answer)
        return answer

    def future(self, request: Message, *, timeout_s: float = 10.0, metadata: Mapping[str, str] | None = None) -> Any:
        """The call as a grpc.Future that carries the response's bytes."""
        path = ROUTES[type(request)].path
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        body = request.SerializeToString()
        return method.future(body, timeout=timeout_s, metadata=tuple((metadata or {}).items()), wait_for_ready=True)

    def close(self) -> None:
        """Closes the connection; calls in progress fail."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
