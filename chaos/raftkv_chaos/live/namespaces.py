"""Every node in a network namespace of its own, and this process the switch between them: packets are really lost, late, doubled and
out of order, and TCP does with that what it does in the field.

    n1's namespace               this process                n2's namespace
    server ── TCP ── tun0 ──► [weather of n1 > n2] ──► tun0 ── TCP ── server

Clients are in a namespace, too: this process moves into it for the time of the run, so no route of the machine is touched. A namespace
lives as long as somebody has it open, so nothing is left behind, however a run ends.

It needs root, iproute2 (ip), util-linux (nsenter) and /dev/net/tun.
"""

import asyncio
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Thread

from raftkv_chaos.live.errors import LiveError
from raftkv_chaos.live.network import CLIENTS, Listening
from raftkv_chaos.live.wire import CLEAR, Weather

SUBNET = "198.18.77"
"""Of the range that is set aside for measurements (RFC 2544)."""
CLIENTS_HOST = 254
CLIENT_PORT, PEER_PORT = 2379, 2380
DEVICE = Path("/dev/net/tun")
TOOLS = ("ip", "nsenter")
MOST_AT_ONCE = 64
"""Packets of one node before the others have their turn."""
PACKET_BYTES = 1 << 16
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One that was made here: open descriptors of itself and of its device, and its address."""

    own: int
    device: int
    address: str

    def close(self) -> None:
        """Without processes in it, it is gone."""
        os.close(self.device)
        os.close(self.own)


def why_not() -> str:
    """Why there can be no namespaces here; empty where there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"there is no {missing[0]}"
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    try:
        make(f"{SUBNET}.253").close()
    except OSError as error:
        return f"this machine makes no network namespaces: {error}"
    return ""


def make(address: str) -> Namespace:
    """A namespace beside the caller's.

    Raises:
        OSError: the kernel refuses.
    """
    made: list[Namespace | OSError] = []

    def aside() -> None:
        """A namespace is a thread's, so another thread makes it and ends."""
        try:
            made.append(_move_into_new(address))
        except OSError as error:
            made.append(error)

    thread = Thread(target=aside)
    thread.start()
    thread.join()
    (found,) = made
    if isinstance(found, OSError):
        raise found
    return found


def _move_into_new(address: str) -> Namespace:
    """Moves this thread into a new namespace with one device, whose packets come to the descriptor."""
    _checked(_libc.unshare(_CLONE_NEWNET))
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    device = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN | _IFF_NO_PI))
    for command in ("link set lo up", f"address add {address}/24 dev tun0", "link set tun0 up"):
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)  # noqa: S603, S607  (iproute2)
        if done.returncode:
            raise OSError(f"ip {command}: {done.stderr.strip()}")
    return Namespace(own, device, address)


def _checked(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespaces:
    """The switch. It begins where clients are moved into their namespace, and ends with `stop`."""

    def __init__(self, dice: Random) -> None:
        """Raises LiveError where there can be no namespaces."""
        reason = why_not()
        if reason:
            raise LiveError(f"--network namespaces: {reason}")
        self._dice = dice
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._ends = {CLIENTS: _move_into_new(f"{SUBNET}.{CLIENTS_HOST}")}
        self._by_address = {_packed(CLIENTS_HOST): CLIENTS}
        self._weathers: dict[tuple[str, str], Weather] = {}
        self._reading: set[str] = set()
        self._loop: asyncio.AbstractEventLoop
        self._stopped = False

    def listening(self, node: str) -> Listening:
        """Where a node is to listen: it gets its namespace now."""
        host = len(self._ends)
        self._ends[node] = make(f"{SUBNET}.{host}")
        self._by_address[_packed(host)] = node
        return Listening(f"{SUBNET}.{host}", CLIENT_PORT, PEER_PORT, CLIENT_PORT, PEER_PORT)

    def command(self, node: str) -> Sequence[str]:
        """What a node's command line begins with."""
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._ends[node].own}", "--")

    async def stand_before(
        self,
        node: str,
        *,
        peer: tuple[int, int],  # noqa: ARG002  (nobody listens in its place)
        client: tuple[int, int],  # noqa: ARG002  (as above)
        tasks: asyncio.TaskGroup,  # noqa: ARG002  (packets need none)
    ) -> None:
        """Carries a node's packets from now on."""
        self._loop = asyncio.get_running_loop()
        for end in {CLIENTS, node} - self._reading:
            self._reading.add(end)
            self._loop.add_reader(self._ends[end].device, self._read, end)

    # --- the weather

    def become(self, source: str, target: str, weather: Weather) -> None:
        """Changes one direction."""
        self._weathers[source, target] = weather

    def clear(self, ends: Iterable[tuple[str, str]]) -> None:
        """Clears some directions."""
        for end in ends:
            self._weathers.pop(end, None)

    def clear_all(self) -> None:
        """Clears every direction."""
        self._weathers.clear()

    def break_connections(self, source: str, target: str) -> None:
        """Connections end by themselves, or go on: TCP decides."""

    # --- packets

    def _read(self, source: str) -> None:
        device = self._ends[source].device
        for _ in range(MOST_AT_ONCE):
            try:
                packet = os.read(device, PACKET_BYTES)
            except OSError:  # there is none
                return
            target = self._by_address.get(packet[16:20]) if packet[0] >> 4 == 4 else None
            if target is not None:
                self._carry(target, packet, self._weathers.get((source, target), CLEAR))

    def _carry(self, target: str, packet: bytes, weather: Weather) -> None:
        if weather is CLEAR:
            self._write(target, packet)
            return
        if weather.blocked or self._dice.random() < weather.loss:
            return
        for _ in range(1 + (self._dice.random() < weather.duplication)):
            lag_s = weather.delay_s + weather.jitter_s * self._dice.random()
            self._loop.call_later(lag_s, self._write, target, packet)

    def _write(self, target: str, packet: bytes) -> None:
        if not self._stopped:
            with suppress(OSError):  # as a switch does whose buffers are full
                os.write(self._ends[target].device, packet)

    def stop(self) -> None:
        """Nothing is carried any more, and this process goes home."""
        if self._stopped:
            return
        self._stopped = True
        for end in self._reading:
            self._loop.remove_reader(self._ends[end].device)
        _checked(_libc.setns(self._home, _CLONE_NEWNET))
        for namespace in self._ends.values():
            namespace.close()
        os.close(self._home)


def _packed(host: int) -> bytes:
    return bytes((*map(int, SUBNET.split(".")), host))
