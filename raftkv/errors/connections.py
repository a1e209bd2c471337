"""Connections, between nodes and from a client."""

from collections.abc import Mapping

from raftkv.errors.root import RaftKVError


class PeerError(RaftKVError):
    """A connection between nodes failed or was refused."""

    retryable = True


class ConnectError(RaftKVError):
    """No endpoint could be reached. `reasons`: for each endpoint, why not. Nothing was sent."""

    retryable = True

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("no endpoint answers: " + "; ".join(f"{endpoint}: {why}" for endpoint, why in reasons.items()))
        self.reasons = dict(reasons)


class ConnectionBrokenError(RaftKVError):
    """A connection could not be opened, or broke under a call. `sent`: whether the server may have seen the whole request."""

    retryable = True

    def __init__(self, endpoint: str, reason: str, *, sent: bool) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason
        self.sent = sent


class ClientClosedError(RaftKVError):
    """The client was closed before or during the call."""

    def __init__(self) -> None:
        super().__init__("the client is closed")
