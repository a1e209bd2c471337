"""A replica and what lives beside it in the same process: the duties of a leader, proofs of identity, measures."""

import asyncio
import random

from raftkv import __version__
from raftkv.apply.machine import StateMachine
from raftkv.clock import SystemClock, unix_time
from raftkv.config import ServerConfig
from raftkv.daemon.flags import auth_options, raft_config, ready_for_use, replica_settings
from raftkv.metrics.jobs import JobTimes
from raftkv.metrics.loop_lag import LoopLag
from raftkv.mvcc.steps import finish
from raftkv.peer.tcp import Self, TcpPeers
from raftkv.raft.raft import Raft
from raftkv.rpc.authentication import authentication
from raftkv.rpc.health import Health
from raftkv.rpc.tenants import Tenants
from raftkv.server.lease_keeper import LeaseKeeper, LeaseSettings
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper
from raftkv.server.parts import Parts
from raftkv.server.probing import PeerProbes
from raftkv.server.rendezvous_keeper import RendezvousKeeper
from raftkv.server.replica import Replica
from raftkv.storage.engine import Engine
from raftkv.storage.identity import Identity
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.thread import StorageThread
from raftkv.tls import ClientTLS, ServerTLS


class Node:
    """The parts that start and stop together. Other parts take what they need from its fields."""

    def __init__(
        self, config: ServerConfig, identity: Identity, parts: Parts, engine: RocksEngine, tasks: asyncio.TaskGroup
    ) -> None:
        loop = asyncio.get_running_loop()
        self.engine = engine
        self.clock = clock = parts.clock
        self.rng = parts.rng
        self.replica = replica = Replica(replica_settings(config, identity), parts, loop, tasks)
        self.peers = _peers(config, identity, tasks)
        self.health = Health()
        self.proofs = authentication(replica, clock, auth_options(config))
        self.tenants = Tenants(replica.machine.quotas, clock.now)
        self.probes = PeerProbes(replica, clock, unix_time, __version__)
        self.jobs = RendezvousKeeper(replica, clock, loop)
        self.leases = LeaseKeeper(replica, clock, loop, LeaseSettings(election_timeout_s=config.election_timeout / 1000))
        self.lighthouse = LighthouseKeeper(replica, clock, loop, unix_time)
        self.callers = LighthouseCallers(replica, clock, loop)
        self.lag = LoopLag()
        self.job_times = JobTimes(lambda: replica.machine.rendezvous.jobs, self.jobs.pace.summaries)

    def start(self) -> None:
        """Everything but the replica, which wants its peers to listen first."""
        for part in (self.leases, self.jobs, self.lighthouse, self.callers):
            part.start()

    def measure(self) -> None:
        """Begins to measure, which is to tell nothing of the start."""
        self.lag.start()
        self.job_times.start()

    def stop(self) -> None:
        """Everything, and the replica."""
        for part in (self.lag, self.job_times, self.leases, self.jobs, self.lighthouse, self.callers, self.proofs.passwords):
            part.stop()
        self.replica.stop()


def _peers(config: ServerConfig, identity: Identity, tasks: asyncio.TaskGroup) -> TcpPeers:
    tls = ready_for_use(config.peer_tls, config)
    return TcpPeers(
        Self(identity.cluster_id, identity.node_id, __version__),
        tasks,
        server_tls=ServerTLS(tls) if tls else None,
        client_tls=ClientTLS(tls) if tls else None,
    )


def assemble(config: ServerConfig, identity: Identity, engine: Engine, storage: StorageThread, rng: random.Random) -> Parts:
    """What the replica is made of, with the state as the disk has it."""
    overlay = Overlay(engine)
    machine = StateMachine(overlay)
    finish(machine.load())
    store_log = LogStore.open(engine)
    raft = Raft(
        raft_config(config, identity.node_id),
        store_log,
        random.Random(rng.getrandbits(64)),  # noqa: S311 (election jitter)
        hard_state=store_log.hard_state,
        membership=machine.membership,
        applied=machine.applied_index,
    )
    return Parts(
        raft=raft,
        log=store_log,
        machine=machine,
        overlay=overlay,
        engine=engine,
        storage=storage,
        clock=SystemClock(),
        rng=rng,
    )
