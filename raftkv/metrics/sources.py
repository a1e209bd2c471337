"""Where a node's numbers are."""

from collections.abc import Callable
from dataclasses import dataclass

from raftkv.metrics.calls import CallCounts
from raftkv.metrics.certificates import Certificates
from raftkv.metrics.health import HealthCounts
from raftkv.metrics.jobs import JobTimes
from raftkv.metrics.loop_lag import LoopLag
from raftkv.peer.tcp import TcpPeers
from raftkv.rpc.tenants import Tenants
from raftkv.server.lease_keeper import LeaseKeeper
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper
from raftkv.server.probing import PeerProbes
from raftkv.server.replica import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts of a node that count."""

    replica: Replica
    peers: TcpPeers
    probes: PeerProbes
    calls: CallCounts
    health: HealthCounts
    certificates: Certificates
    lag: LoopLag
    leases: LeaseKeeper
    job_times: JobTimes
    lighthouse: LighthouseKeeper
    lighthouse_callers: LighthouseCallers
    tenants: Tenants
    size_on_disk: Callable[[], int]
    open_views: Callable[[], int]
    """How many frozen states of the disk are being read."""
    quota_bytes: int | None
    version: str
    """Of raftkv."""

    @property
    def own(self) -> str:
        """This member, as labels call it."""
        return f"{self.replica.settings.node_id:x}"

    @property
    def others(self) -> list[int]:
        """The other members."""
        return [member for member in self.replica.members if member != self.replica.settings.node_id]
