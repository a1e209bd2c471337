"""The seam between the client and what carries its calls: one channel per endpoint.

The channel says of every failed call whether the server may have seen it, for that decides whether a write may be repeated.

    unary call:  waiting -> sending -> sent -> answered
                 `------ sent=False -----' `-- sent=True: the server had the whole request, or may have had it

`http2.py` is the channel over the network. A channel belongs to one event loop; all its methods are called there.
"""

from typing import NamedTuple, Protocol

from raftkv.client.endpoint import Endpoint

Metadata = tuple[tuple[bytes, bytes], ...]
"""Names in lower case and values, as they go on the wire."""


class UnaryCall:
    """One attempt at a call with one request and one answer, and how far it got.

    `connected`: there was a connection for it. `sent`: the server may have seen all of it.
    """

    __slots__ = ("body", "connected", "metadata", "path", "sent", "timeout")

    def __init__(self, path: str, body: bytes, metadata: Metadata = (), timeout: float | None = None) -> None:
        self.path = path
        self.body = body
        self.metadata = metadata
        self.timeout = timeout
        """Seconds that the server is told the client will wait; the caller cancels the attempt itself."""
        self.connected = False
        self.sent = False


class Reply(NamedTuple):
    """How a call ended: gRPC's status, and the message where the status is OK."""

    code: int
    text: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """The initial metadata, or of an answer without a message its only metadata."""

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Stream(Protocol):
    """A call with any number of messages in each direction."""

    async def send(self, body: bytes) -> None:
        """Sends a message; waits while the server takes no more. Raises ConnectionBrokenError when the stream is over."""
        ...

    async def receive(self) -> bytes | None:
        """The next message, or None when the server has ended the call: then `reply` says how.

        Raises ConnectionBrokenError when the connection breaks.
        """
        ...

    @property
    def reply(self) -> Reply | None:
        """The status of the call once it has ended."""
        ...

    def end(self) -> None:
        """Says that no more messages follow; the server may still send."""
        ...

    def cancel(self) -> None:
        """Ends the call at once, in both directions; idempotent."""
        ...


class Channel(Protocol):
    """Calls to one endpoint, over connections that are opened when needed."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it leads."""
        ...

    async def unary(self, call: UnaryCall) -> Reply:
        """Makes the call. A status other than OK is a Reply too; raises ConnectionBrokenError when there is none.

        Cancelling tells the server to stop; `call.sent` says whether it may have seen the request.
        """
        ...

    async def stream(self, path: str, metadata: Metadata = ()) -> Stream:
        """Opens a call with messages in both directions. Raises ConnectionBrokenError."""
        ...

    async def close(self) -> None:
        """Breaks all calls and closes the connections; idempotent."""
        ...
