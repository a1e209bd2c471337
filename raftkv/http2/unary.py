"""Calls with one request: unary ones, the hot path, and those that answer with a stream."""

from typing import Any

from raftkv.errors import RequestError, UnimplementedError
from raftkv.http2.calls import Carrier, ServerCall
from raftkv.http2.framing import PREFIX_SIZE
from raftkv.http2.routing import Route
from raftkv.http2.stream import Stream


class UnaryCall(ServerCall):
    """One request, one answer. A handler that returns a Future costs no task."""

    __slots__ = ("_body",)

    def __init__(self, carrier: Carrier, stream: Stream, route: Route, deadline: float | None) -> None:
        super().__init__(carrier, stream, route, deadline)
        self._body: bytes | None = None

    def data_received(self, payload: bytes, end_stream: bool) -> None:  # noqa: FBT001 - see Receiver
        """Nearly always the whole request in one frame."""
        if end_stream and self._reader is None and payload and not payload[0]:
            size = len(payload) - PREFIX_SIZE
            if size == int.from_bytes(payload[1:PREFIX_SIZE], "big") and size <= self._carrier.options.max_message_bytes:
                self._run(payload[PREFIX_SIZE:])
                return
        try:
            for body in self._messages(payload, end_stream=end_stream):
                if self._body is not None:
                    raise UnimplementedError("raftkv: more than one request message for a method that takes one")
                self._body = body
            if end_stream and self._body is None:
                raise UnimplementedError("raftkv: no request message for a method that takes one")
        except RequestError as error:
            self.fail(error)
            return
        if end_stream and self._body is not None:
            self._run(self._body)
        else:
            self._carrier.consumed(self._stream, len(payload))

    def _run(self, body: bytes) -> None:
        try:
            self._hand_over(self._route.method.handler(self._parse(body), self._call(body)))
        except Exception as error:  # noqa: BLE001 - a bug in a handler fails its call only
            self.fail_with(error)

    def _hand_over(self, outcome: Any) -> None:
        self._answer_with(outcome)


class ServerStreamCall(UnaryCall):
    """One request, a stream of answers."""

    __slots__ = ()

    def _hand_over(self, outcome: Any) -> None:
        self._stream_answers(outcome)
