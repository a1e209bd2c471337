"""This process as a node of its job: it joins when JAX first asks, and stays until it ends.

How it ends is told where the process can tell: at its end it is done, unless an exception that nobody caught ends it. One that is
killed tells nothing; its lease says so.

The round's process 0 serves JAX's coordinator at a port that was free when it joined. The port is held, not listened at, until the
round has formed, so that two processes of a host never choose the same one.
"""

import asyncio
import atexit
import math
import socket
import sys
import threading
from contextlib import suppress

from raftkv.client import BlockingParticipant, Client, Participant, Round
from raftkv.client.loop_thread import loop_thread
from raftkv.errors import RaftKVError, RendezvousTimeoutError
from raftkv.jax.settings import ProcessSettings, from_environment

TIMEOUT_S = 300.0
"""For the round, where JAX sets no other."""
LEAVE_S = 10.0
"""What the end of a process waits for the cluster; then the lease has to tell it."""


class Process:
    """The process's part in the job."""

    def __init__(self, settings: ProcessSettings) -> None:
        """Joins nothing yet."""
        self._settings = settings
        self._port = HeldPort(settings.local_address)
        self._client: Client
        self._participant: Participant
        loop_thread().run(self._make())
        self.node = BlockingParticipant(self._participant)
        self._opened = False

    async def _make(self) -> None:
        settings = self._settings
        self._client = Client(
            settings.endpoints, timeout=math.inf, user=settings.user, password=settings.password, tls=settings.tls
        )
        self._participant = self._client.rendezvous(settings.job).participant(
            settings.node,
            settings.settings,
            address=self._port.address,
            segments=settings.segments,
            ttl=settings.ttl,
        )

    def next_round(self, timeout_s: float) -> Round:
        """Joins, and waits; in a round already: gives it up for the next one."""
        try:
            return loop_thread().run(self._next_round(timeout_s))
        finally:
            self._port.release()

    async def _next_round(self, timeout_s: float) -> Round:
        try:
            async with asyncio.timeout(timeout_s):
                if not self._opened:
                    await self._participant.open()
                    self._opened = True
        except TimeoutError:
            raise RendezvousTimeoutError(self._settings.job, timeout_s) from None
        return await self._participant.next_round(timeout=timeout_s)

    def close(self, failure: BaseException | None) -> None:
        """Tells how it went, and leaves."""
        loop_thread().run(self._close(failure))

    async def _close(self, failure: BaseException | None) -> None:
        with suppress(RaftKVError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                with suppress(RaftKVError):
                    await self._tell(failure)
                await self._participant.close()
        await self._client.close()

    async def _tell(self, failure: BaseException | None) -> None:
        if self._participant.round is None:
            return
        if failure is None:
            await self._participant.succeed()
        else:
            await self._participant.fail(f"{type(failure).__name__}: {failure}".splitlines()[0])


class HeldPort:
    """A port that nobody else gets."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.bind(("", 0))
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self._socket.getsockname()[1]}"

    def release(self) -> None:
        """It may be listened at. Idempotent."""
        self._socket.close()


class _Holder:
    """The process's one part, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: Process | None = None

    def get(self) -> Process:
        with self._lock:
            if self._process is None:
                self._process = Process(from_environment())
                atexit.register(self.close)
            return self._process

    def close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            atexit.unregister(self.close)
            process.close(getattr(sys, "last_value", None))


_HOLDER = _Holder()


def next_round(timeout_s: float | None) -> Round:
    """See Process.next_round."""
    return _HOLDER.get().next_round(TIMEOUT_S if timeout_s is None else timeout_s)


def present_round() -> Round:
    """The round that this process is in; it joins where it is in none."""
    found = _HOLDER.get().node.round
    return next_round(None) if found is None else found


def node() -> BlockingParticipant:
    """This process as a node of the job: progress, barriers, checkpoints, preemption, and when its round is over."""
    return _HOLDER.get().node


def succeed() -> None:
    """This process is done: it leaves the job."""
    _HOLDER.close()


def fail(reason: str = "") -> None:
    """This process failed: the round ends for all. It may go on, with the next one."""
    node().fail(reason)
