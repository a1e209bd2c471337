"""From a request's head to the method that answers it, or to the refusal."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from raftkv.errors import Code, RequestError, UnimplementedError
from raftkv.http2.framing import ENCODINGS, IDENTITY
from raftkv.http2.head import RequestHead
from raftkv.http2.metadata import metadata
from raftkv.http2.status import StatusBlocks
from raftkv.rpc.method import Method

CONTENT_TYPE: Final = "application/grpc"


class Route:
    """What is the same for all calls with an equal head."""

    __slots__ = ("encoding", "metadata", "method")

    def __init__(self, method: Method, fields: Mapping[str, str | bytes], encoding: str) -> None:
        self.method = method
        self.metadata = fields
        self.encoding = encoding


class Refusal:
    """A head that no method can answer: the header block to send instead."""

    __slots__ = ("block",)

    def __init__(self, block: bytes) -> None:
        self.block = block


class Router:
    """The methods of a server by their paths."""

    __slots__ = ("_blocks", "_methods", "_services")

    def __init__(self, methods: Iterable[Method], blocks: StatusBlocks) -> None:
        self._methods: dict[str, Method] = {}
        for method in methods:
            if method.path in self._methods:
                raise ValueError(f"two methods at {method.path}")
            self._methods[method.path] = method
        self._services = {path.rpartition("/")[0] for path in self._methods}
        self._blocks = blocks

    def route(self, head: RequestHead) -> Route | Refusal:
        """The way of a request. Calls with the same head share it."""
        if head.oversized:
            return Refusal(
                self._blocks.error(Code.RESOURCE_EXHAUSTED, "raftkv: received metadata is larger than the server takes")
            )
        if head.method != "POST":
            text = f"Received a HEADERS frame with :method {head.method!r} which should be POST"
            return Refusal(self._blocks.error(Code.INTERNAL, text, HTTPStatus.METHOD_NOT_ALLOWED))
        fields = dict(head.fields)
        content_type = fields.get("content-type", "")
        if content_type[: len(CONTENT_TYPE)] != CONTENT_TYPE or content_type[len(CONTENT_TYPE) :][:1] not in {"", "+", ";"}:
            text = f"invalid gRPC request content-type {content_type!r}"
            return Refusal(self._blocks.error(Code.INVALID_ARGUMENT, text, HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
        try:
            return self._route(head, fields.get("grpc-encoding", IDENTITY))
        except _UnknownEncodingError as error:
            more = (("grpc-accept-encoding", ",".join(ENCODINGS)),)
            return Refusal(self._blocks.error(error.code, str(error), HTTPStatus.OK, more))
        except RequestError as refused:
            return Refusal(self._blocks.error(refused.code, str(refused)))

    def _route(self, head: RequestHead, encoding: str) -> Route:
        method = self._methods.get(head.path)
        if method is None:
            raise UnimplementedError(self._unknown(head.path))
        if encoding not in ENCODINGS:
            raise _UnknownEncodingError(f'grpc: Decompressor is not installed for grpc-encoding "{encoding}"')
        fields = metadata(head.fields)
        if "@" in head.authority:  # whom the client's address names, which some say nowhere else (raftkv.rpc.lighthouse)
            fields = MappingProxyType({**fields, ":authority": head.authority})
        return Route(method, fields, encoding)

    def _unknown(self, path: str) -> str:
        """As grpc-go words it."""
        service, _, name = path.rpartition("/")
        if not service:
            return f'malformed method name: "{path}"'
        if service in self._services:
            return f"unknown method {name} for service {service[1:]}"
        return f"unknown service {service[1:]}"


class _UnknownEncodingError(UnimplementedError):
    """The answer says which encodings there are."""
