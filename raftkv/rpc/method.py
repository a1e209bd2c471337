"""What a service offers, without saying who carries it.

Handlers take a message and a `Call` and know nothing of HTTP/2, so the server under them can be exchanged (grpc.aio is
the tests' oracle). A handler raises `RequestError` to answer with a status; anything else it raises is a bug of ours.

    UNARY          handler(request, call) -> Awaitable[Answer]
    SERVER_STREAM  handler(request, call) -> AsyncIterator[Answer]
    CLIENT_STREAM  handler(requests, call) -> Awaitable[Answer]
    BIDI           handler(requests, call) -> AsyncIterator[Answer] or Listener

A unary handler that returns a bare Future, or better a Reply, spares a task: the transport hangs its answer on the callback.
An Answer is a message, or the bytes of one that was encoded before, or such bytes in pieces: to encode a hundred megabytes in
one go would hold the loop for a quarter of a second.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from google.protobuf.message import Message

from raftkv.auth.state import Author
from raftkv.errors import RequestError

Answer = Message | bytes | list[bytes]


class Outlet(Protocol):
    """Where the handler of a BIDI method may put answers of its own accord, from anywhere on the event loop: they leave in this
    turn, and cost no task. Nothing is said where the call has ended.
    """

    on_drained: Callable[[], None] | None
    """Called when everything has been collected."""

    @property
    def backlog(self) -> int:
        """Bytes that the client has not collected, with what it costs to keep them."""
        ...

    def send(self, message: bytes) -> None:
        """An answer."""
        ...

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """An answer for each of the tails, which are equally long: the body, then the tail."""
        ...

    def end(self, error: RequestError) -> None:
        """Ends the call with an error, and cancels its handler."""
        ...

    def abandon(self) -> None:
        """Ends the call now, with what the client has not collected: it may try again."""
        ...


class Listener(ABC):
    """What the handler of a BIDI method may return: the carrier tells it of the requests as they come, and it answers through the
    call's outlet. So a call costs no task, which matters where clients open one for each question. A carrier that does not
    know listeners iterates it, as it does any handler's answers.
    """

    @property
    @abstractmethod
    def full(self) -> bool:
        """Whether no more requests should come for now."""

    @abstractmethod
    def take(self, request: Any) -> None:
        """A request. An error ends the call."""

    @abstractmethod
    def finish(self, ended: Callable[[], None]) -> None:
        """The client asks nothing more; `ended` is to be called when everything is answered."""

    @abstractmethod
    def close(self) -> None:
        """The call is over, however it came to that. May be called twice."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]:
        """For other carriers."""


class Kind(Enum):
    """The four shapes of a gRPC method."""

    UNARY = "unary"
    CLIENT_STREAM = "client stream"
    SERVER_STREAM = "server stream"
    BIDI = "bidirectional stream"


@dataclass(slots=True)
class Call:
    """One call in progress, as a handler sees it."""

    path: str
    """`/package.Service/Method`"""
    metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    """Lower-case names; values are bytes where the name ends in `-bin`, else text. The last one wins where a name repeats."""
    deadline: float | None = None
    """When the client gives up, on the event loop's clock (`loop.time()`); None: never."""
    peer: str = ""
    """The client's address, `ip:port`."""
    identity: str = ""
    """The common name of the client's verified certificate, or nothing."""
    body: bytes = b""
    """The request as it came, of a unary or server-streaming call: the log keeps these bytes."""
    author: Author | None = None
    """Who asks, where authentication is on (`raftkv.rpc.admission`): to be handed on to whoever looks at keys or proposes."""
    outlet: Outlet | None = None
    """Of a BIDI call."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service: its path, shape, message types and handler."""

    path: str
    kind: Kind
    request: type[Message]
    response: type[Message]
    handler: Callable[[Any, Call], Awaitable[Answer] | AsyncIterator[Answer] | Listener]
