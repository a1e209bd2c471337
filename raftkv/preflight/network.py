"""The way to the cluster and to the other nodes: connections are opened and closed again.

The cluster must be reached, by a majority of its endpoints. Of the other nodes, which may be dead, half is enough, and one that
refuses is reached, too: nothing listens there now, but the way is there.
"""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from raftkv.preflight.check import Finding

CONNECT_S = 3.0
MAX_PEERS = 16
"""That are tried; of more, so many, spread evenly."""
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """`endpoints`: of the cluster; `peers`: of other nodes."""

    endpoints: Sequence[Address] = ()
    peers: Sequence[Address] = ()
    connect_s: float = CONNECT_S
    timeout_s: float = 10 * CONNECT_S

    @property
    def name(self) -> str:
        return "network"

    def look(self) -> Finding:
        """Tries all of them at the same time."""
        peers = self.peers[:: max(1, -(-len(self.peers) // MAX_PEERS))]
        with ThreadPoolExecutor(max_workers=MAX_PEERS + 8) as threads:
            endpoints = list(threads.map(self._connect, self.endpoints))
            others = list(threads.map(self._reach, peers))
        lost = [problem for problem in [*endpoints, *others] if problem]
        enough = _enough(endpoints, lambda lost, all_: 2 * lost < all_) and _enough(others, lambda lost, all_: 2 * lost <= all_)
        reached = len(endpoints) + len(others) - len(lost)
        text = f"{reached} of {len(endpoints) + len(others)} reached" + (f": {'; '.join(lost[:5])}" if lost else "")
        return Finding(self.name, passed=enough, text=text)

    def _connect(self, address: Address) -> str:
        """What is wrong, or nothing."""
        try:
            socket.create_connection(address, timeout=self.connect_s).close()
        except OSError as error:
            return f"{address[0]}:{address[1]}: {error.strerror or error}"
        return ""

    def _reach(self, address: Address) -> str:
        try:
            socket.create_connection(address, timeout=self.connect_s).close()
        except ConnectionRefusedError:
            return ""
        except OSError as error:
            return f"{address[0]}:{address[1]}: {error.strerror or error}"
        return ""


def _enough(problems: Sequence[str], rule: Callable[[int, int], bool]) -> bool:
    return not problems or rule(sum(map(bool, problems)), len(problems))
