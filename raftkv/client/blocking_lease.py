"""The blocking twin of a held lease."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from raftkv.client.lease import HeldLease, Observer
from raftkv.client.loop_thread import loop_thread
from raftkv.errors import LeaseLostError
from raftkv.recipes.lease_term import LeaseState


class BlockingLease:
    """As `HeldLease`, for `with`: kept alive by the client's thread, however busy the program's threads are.

    with client.lease(10) as lease:
        client.put("worker/3", "10.0.0.3", lease=lease.id)
        while lease.alive: ...

    A program that holds Python's global lock for longer than the time to live loses the lease, and is told so by `alive`.
    """

    def __init__(self, lease: HeldLease) -> None:
        """For `BlockingClient.lease` and `BlockingClient.adopt_lease`."""
        self._lease = lease
        self.at_risk = threading.Event()
        """As HeldLease.at_risk."""
        self.lost = threading.Event()
        """As HeldLease.lost."""
        lease.observe(self._note)

    def open(self) -> None:
        """As HeldLease.open."""
        loop_thread().run(self._lease.open())

    def close(self, *, timeout: float | None = None) -> None:
        """As HeldLease.close. In a forked child it does nothing: the lease is the parent's."""
        if not self._lease.inherited:
            loop_thread().run(self._lease.close(timeout=timeout))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def id(self) -> int:
        """As HeldLease.id."""
        return self._lease.id

    @property
    def ttl(self) -> int:
        """As HeldLease.ttl."""
        return self._lease.ttl

    @property
    def state(self) -> LeaseState:
        """As HeldLease.state."""
        return self._lease.state

    @property
    def alive(self) -> bool:
        """As HeldLease.alive."""
        return self._lease.alive

    @property
    def remaining(self) -> float:
        """As HeldLease.remaining."""
        return self._lease.remaining

    @property
    def loss(self) -> LeaseLostError | None:
        """As HeldLease.loss."""
        return self._lease.loss

    def check(self) -> None:
        """As HeldLease.check."""
        self._lease.check()

    def wait_lost(self, timeout: float | None = None) -> LeaseLostError | None:
        """Waits until the lease is lost, and answers why; None if it is not lost within `timeout` seconds."""
        return self._lease.loss if self.lost.wait(timeout) else None

    def observe(self, observer: Observer) -> Callable[[], None]:
        """As HeldLease.observe. It is called on the client's thread, so it must not wait, nor call the client."""
        return self._lease.observe(observer)

    def _note(self, state: LeaseState) -> None:
        if state is LeaseState.LOST:
            self.lost.set()
        if state is LeaseState.AT_RISK:
            self.at_risk.set()
        else:
            self.at_risk.clear()
