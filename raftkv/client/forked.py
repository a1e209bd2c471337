"""What becomes of connections when the process forks: the parent keeps them, the child starts afresh.

A forked child (data loaders fork) holds copies of the parent's sockets, and its selector is the very epoll object of the
parent. So the child must not speak on these connections, nor take them out of their selector, nor let their destructors
do it. It closes its copies of the descriptors (the parent's stay open) and keeps the objects, untouched, for ever.

Whoever holds state that must not cross a fork compares `generation()` with the one it was made under.
"""

import os
from asyncio import AbstractEventLoop
from socket import socket
from typing import Protocol
from weakref import WeakSet


class OpenConnection(Protocol):
    """Something with a socket that a child must not use."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop that runs it."""
        ...

    @property
    def raw_socket(self) -> socket:
        """The socket itself, not a wrapper: the child detaches it."""
        ...

    async def close(self) -> None:
        """Closes it in good order, on its loop."""
        ...


class _Registry:
    """The open connections of this process, and those that it inherited."""

    def __init__(self) -> None:
        self.generation = 0
        self.open: WeakSet[OpenConnection] = WeakSet()
        self.inherited: list[OpenConnection] = []
        self.kept: WeakSet[object] = WeakSet()
        self.kept_for_ever: list[object] = []

    def start_afresh(self) -> None:
        """In the child, before any of its code runs."""
        self.generation += 1
        self.inherited.extend(self.open)
        self.open = WeakSet()
        self.kept_for_ever.extend(self.kept)
        self.kept = WeakSet()
        for connection in self.inherited:
            descriptor = connection.raw_socket.detach()  # so that no destructor closes the number, which may be in use again
            if descriptor >= 0:
                os.close(descriptor)


_REGISTRY = _Registry()
os.register_at_fork(after_in_child=_REGISTRY.start_afresh)


def generation() -> int:
    """How many forks lie between this process and the one that loaded the module."""
    return _REGISTRY.generation


async def close_all(loop: AbstractEventLoop) -> None:
    """Closes the connections that run on the loop, whoever has forgotten them."""
    for connection in [one for one in _REGISTRY.open if one.loop is loop]:
        await connection.close()


def register(connection: OpenConnection) -> None:
    """Names a connection that a forked child must let go; held weakly."""
    _REGISTRY.open.add(connection)


def keep(thing: object) -> None:
    """Names something, such as a task that waits, that no destructor may end in a forked child; held weakly until then."""
    _REGISTRY.kept.add(thing)
