"""What can be set about the server, and the limits that keep one client from taking all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from raftkv.errors import Code, ConfigError
from raftkv.http2.frames import DEFAULT_WINDOW
from raftkv.rpc.method import Method

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """Limits and times of a server. All of them hold per connection, but the first ones."""

    max_connections: int = 10_000
    """Of the server; further ones are closed as soon as they are accepted."""
    max_handshakes: int = 1000
    """Connections of the server that are in their TLS handshake; further ones are closed as soon as they are accepted."""
    max_calls: int = 100_000
    """Calls in progress on all connections: RESOURCE_EXHAUSTED above it."""
    max_held_bytes: int = 1024 * MIB
    """Requests not complete or not taken yet, and answers not collected, on all connections: RESOURCE_EXHAUSTED above it."""
    max_concurrent_streams: int = 1000
    """Calls in progress; further ones are refused, which tells the client that it may retry."""
    max_message_bytes: int = 2 * MIB
    """A request, after decompression: RESOURCE_EXHAUSTED above it. etcd: 1.5 MiB plus 512 KiB for the rest of the message."""
    max_header_list_bytes: int = 16 * 1024
    """Request metadata, counted as RFC 9113 section 6.5.2 does: RESOURCE_EXHAUSTED above it."""
    stream_window_bytes: int = MIB
    """What a client may send on one stream before the handler has taken anything."""
    connection_window_bytes: int = 4 * MIB
    """What a client may send on all streams before the server has looked at it."""
    max_buffered_bytes: int = 64 * MIB
    """Requests that are not complete or not taken yet: RESOURCE_EXHAUSTED above it."""
    max_queued_bytes: int = 64 * MIB
    """Answers the client does not collect: its new calls are refused above it."""
    handshake_seconds: float = 10.0
    """For TLS, and once more for the client's preface and settings (CVE-2026-73500: unbounded handshakes)."""
    keepalive_interval_seconds: float = 7200.0
    """A connection silent for so long is asked whether it still lives."""
    keepalive_timeout_seconds: float = 20.0
    """How long it may take to answer."""
    min_ping_interval_seconds: float = 5.0
    """A client that pings more often, without traffic that explains it, is sent away with too_many_pings."""
    permit_pings_without_calls: bool = True
    """etcd holds idle clients to one ping in two hours; connections kept warm by pings are welcome here."""
    trust_common_names: bool = True
    """The common name of a client's verified certificate is who it is (`Call.identity`)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every answer."""

    def __post_init__(self) -> None:
        """Refuses what cannot work."""
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                raise ConfigError(f"http2: {name} is {value}, and must be above zero")
        if min(self.stream_window_bytes, self.connection_window_bytes) < DEFAULT_WINDOW:
            raise ConfigError(f"http2: clients may use windows of {DEFAULT_WINDOW} bytes before they hear of smaller ones")
        for name, value in self.headers:
            if name != name.lower() or not (name + value).isascii() or len(name) + len(value) > 1024:
                raise ConfigError(f"http2: {name!r} with {value!r} cannot be a response header")


@dataclass(slots=True)
class Hooks:
    """Whom to tell what happens. All of them run on the event loop, in the middle of a call: be quick."""

    started: Callable[[Method], None] | None = None
    """A call of a known method has begun."""
    handled: Callable[[Method, Code, float], None] | None = None
    """A call has ended: with which code, after how many seconds. Every started call is handled once."""
    received: Callable[[int], None] | None = None
    """Bytes of one read from a connection."""
    sent: Callable[[int], None] | None = None
    """Bytes of one write to a connection."""
    crashed: Callable[[Method, BaseException], None] | None = None
    """A handler raised what is not a RequestError. None: the event loop's exception handler is told."""
