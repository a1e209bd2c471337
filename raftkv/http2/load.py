"""What all connections of a server hold together: each has limits of its own, and ten thousand of them would still be too much."""


class Load:
    """Counts, kept up to date by the connections."""

    __slots__ = ("calls", "kept", "queued")

    def __init__(self) -> None:
        self.calls = 0
        """Streams that are open or half-closed by their client."""
        self.kept = 0
        """Bytes of requests that are not complete or not taken yet."""
        self.queued = 0
        """Bytes of answers that the clients do not collect."""
