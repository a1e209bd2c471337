"""A gRPC server of our own, on HTTP/2 of our own: an answer costs a few microseconds, and a turn's answers leave in one write.

    bytes -> frames -> hpack -> head -> connection (sans-IO: streams, windows, limits) -> outbox -> bytes
                                            |                                              |
                                        routing -> calls (unary, streaming) -> handlers -> status, framing

The core (all but protocol, preface, listener, tasks and server) knows no event loop but for the futures that handlers return.
Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), "gRPC over HTTP2" (the protocol's own description).
"""

from raftkv.http2.options import Hooks, Options
from raftkv.http2.server import GrpcServer

__all__ = ["GrpcServer", "Hooks", "Options"]
