"""Free TCP ports of 127.0.0.1 for server processes, without a race.

A server binds its own port, so the port cannot be held bound for it. It is held by a lock file instead: whoever takes a
port from here holds an exclusive lock until the cluster ends, in this process or any other. The range lies below the
kernel's ephemeral ports (32768 and up on Linux, 49152 and up on macOS), so no outgoing connection and no bind to port 0
takes one in between.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

FIRST_PORT = 20_000
LAST_PORT = 32_000


class PortsExhaustedError(Exception):
    """Every port of the range is taken."""


class Ports:
    """Ports taken for one cluster; they are free again after `release`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"raftkv-ports-{os.getuid()}"
        self._folder.mkdir(exist_ok=True)
        self._locks: list[int] = []

    def take(self) -> int:
        """A port that nobody listens on and nobody else takes."""
        span = LAST_PORT - FIRST_PORT
        first = random.Random(os.urandom(8)).randrange(span)  # noqa: S311  far from where another process is looking now
        for step in range(span):
            port = FIRST_PORT + (first + step) % span
            if self._lock(port):
                return port
        raise PortsExhaustedError(f"no free port between {FIRST_PORT} and {LAST_PORT}")

    def take_row(self, count: int) -> int:
        """The first of so many adjacent ports."""
        while True:
            first = self.take()
            if all(self._lock(first + step) for step in range(1, count)):
                return first

    def release(self) -> None:
        """Lets every port go."""
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def _lock(self, port: int) -> bool:
        lock = os.open(self._folder / str(port), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if _in_use(port):
            os.close(lock)
            return False
        self._locks.append(lock)
        return True


def _in_use(port: int) -> bool:
    """Whether a process that does not use this module listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
