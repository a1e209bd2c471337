"""What a peer can do wrong, and how far the damage goes (RFC 9113, section 5.4)."""

from raftkv.errors import RaftKVError
from raftkv.http2.frames import ErrorCode


class ConnectionProtocolError(RaftKVError):
    """The whole connection is beyond repair: it ends with GOAWAY and this code (section 5.4.1)."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class CompressionError(ConnectionProtocolError):
    """A header block that cannot be decoded: both sides' tables differ from here on (RFC 7541)."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.COMPRESSION_ERROR, text)


class StreamProtocolError(RaftKVError):
    """One stream is wrong: it ends with RST_STREAM and this code, the others go on (section 5.4.2)."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
