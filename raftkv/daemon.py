"""One node as a process: everything is made here, and started and stopped in order.

    start   data directory -> identity -> state -> Raft -> peers -> clients
    stop    no new calls -> hand leadership over -> drain calls -> replica -> peers -> disk

Settings come in, an exit comes out: `run` returns after a clean stop and raises what the node could not survive.
"""

import asyncio
import gc
import os
import random
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
import uvloop

from raftkv import __version__
from raftkv.apply.command import ALARM, body
from raftkv.apply.machine import StateMachine
from raftkv.clock import SystemClock
from raftkv.config import ServerConfig, Url, parse_urls
from raftkv.errors import ConfigError, RaftKVError, RequestError
from raftkv.gateway.gateway import Gateway
from raftkv.gateway.health import Health as HealthPages
from raftkv.http2.options import Hooks, Options
from raftkv.http2.server import GrpcServer
from raftkv.metrics.calls import CallCounts
from raftkv.metrics.loop_lag import LoopLag
from raftkv.metrics.node import NodeMetrics, Sources
from raftkv.mvcc.steps import finish
from raftkv.pb.rpc import NOSPACE, AlarmRequest
from raftkv.peer.tcp import Self, TcpPeers
from raftkv.raft.config import Config as RaftConfig
from raftkv.raft.messages import Membership
from raftkv.raft.raft import Raft
from raftkv.rpc.health import Health
from raftkv.rpc.kv import Limits
from raftkv.rpc.services import services
from raftkv.server.bootstrap import cluster_id, first_members, member_id
from raftkv.server.compaction import PeriodicCompactor, RevisionCompactor, keep_compacting
from raftkv.server.publish import publish
from raftkv.server.quota import Quota
from raftkv.server.replica import Parts, Replica, Settings
from raftkv.storage.engine import Batch, Engine
from raftkv.storage.identity import Identity, read_identity, save_identity
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.thread import StorageThread
from raftkv.telemetry import configure_logs

log = structlog.get_logger(__name__)

MESSAGE_OVERHEAD_BYTES = 512 * 1024
"""What a gRPC message may have beyond the request's own limit, as in etcd."""
HAND_OVER_S = 1.5
DRAIN_S = 2.0
"""Together with HAND_OVER_S well within the 5 s that a stop may take."""
SWITCH_INTERVAL_S = 0.0005
"""The storage thread needs the interpreter for moments only; with Python's 5 ms it would wait longer than the disk takes."""
GC_THRESHOLD = 50_000
"""Requests make few cycles; a full collection of a large heap would be a pause that clients see."""
MAX_APPENDS = 4
"""Appends on their way to one follower. More would make smaller batches: at 100 clients 4 cost a fifth less CPU than 512."""
MAX_APPEND_BYTES = 256 * 1024
"""With MAX_APPENDS, what a leader reads from disk in one go for a follower that is behind: milliseconds, not more."""
PATIENCE_S = 5.0
"""What a request may wait for the cluster, besides two election timeouts; as in etcd."""


def run(config: ServerConfig) -> None:
    """Runs one node until SIGTERM or SIGINT.

    Raises:
        ConfigError: the settings do not fit this machine or this data directory.
        StorageError: the disk failed.
    """
    configure_logs(config.log_level, config.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvloop.run(_Daemon(config).run())


class _Daemon:
    """One node's process, from start to stop."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._clock = SystemClock()
        self._rng = random.Random(os.urandom(32))  # noqa: S311 (jitter and numbers that must differ, no secrets)

    async def run(self) -> None:
        """Starts, waits, stops."""
        loop = asyncio.get_running_loop()
        asked_to_stop: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked_to_stop.cancel)
        engine = RocksEngine(self._config.directory)
        storage = StorageThread(loop)
        try:
            await self._serve(engine, storage, asked_to_stop)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await storage.stop()
            engine.close()
        log.info("stopped")

    async def _serve(self, engine: Engine, storage: StorageThread, asked_to_stop: "asyncio.Future[None]") -> None:
        identity = identify(engine, self._config)
        parts = self._parts(identity, engine, storage)
        async with asyncio.TaskGroup() as tasks:
            replica = Replica(self._settings(identity), parts, asyncio.get_running_loop(), tasks)
            peers = TcpPeers(Self(identity.cluster_id, identity.node_id, __version__), tasks)
            health = Health()
            lag = LoopLag()
            server, gateway = self._servers(replica, health, engine, peers, lag)
            replica.turn_ended = server.flush
            try:
                await self._start(replica, peers, server)
                lag.start()
                duties = [tasks.create_task(duty) for duty in self._duties(replica)]
                await asyncio.wait([asked_to_stop, replica.failed], return_when=asyncio.FIRST_COMPLETED)
                log.info("stopping")
                health.stop_serving()
                for duty in duties:
                    duty.cancel()
                await self._leave(replica, server, gateway)
            finally:
                lag.stop()
                replica.stop()
                await _stop_serving(server, gateway, 0.0)
                await peers.close()
        if replica.failed.done():
            replica.failed.result()

    def _parts(self, identity: Identity, engine: Engine, storage: StorageThread) -> Parts:
        overlay = Overlay(engine)
        machine = StateMachine(overlay)
        finish(machine.load())
        store_log = LogStore.open(engine)
        raft = Raft(
            RaftConfig(
                identity.node_id,
                election_ticks=self._config.election_timeout // self._config.heartbeat_interval,
                max_append_bytes=MAX_APPEND_BYTES,
                max_inflight_bytes=MAX_APPENDS * MAX_APPEND_BYTES,
                max_inflight_messages=MAX_APPENDS,
            ),
            store_log,
            random.Random(self._rng.getrandbits(64)),  # noqa: S311 (election jitter)
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
            clock=self._clock,
            rng=self._rng,
        )

    def _settings(self, identity: Identity) -> Settings:
        config = self._config
        return Settings(
            cluster_id=identity.cluster_id,
            node_id=identity.node_id,
            tick_s=config.heartbeat_interval / 1000,
            snapshot_count=config.snapshot_count,
            catch_up_entries=config.snapshot_catchup_entries,
            patience_s=PATIENCE_S + 2 * config.election_timeout / 1000,
        )

    def _servers(
        self, replica: Replica, health: Health, engine: Engine, peers: TcpPeers, lag: LoopLag
    ) -> tuple[GrpcServer, Gateway]:
        """Two protocols on the clients' ports."""
        config = self._config
        quota = Quota(config.quota_bytes, lambda: replica.store.size_in_use, lambda: _raise_no_space(replica))
        limits = Limits(max_request_bytes=config.max_request_bytes, max_txn_ops=config.max_txn_ops)
        options = Options(
            max_message_bytes=config.max_request_bytes + MESSAGE_OVERHEAD_BYTES, headers=(("raftkv-version", __version__),)
        )
        methods = services(replica, health, quota, limits, engine.size)
        calls = CallCounts(methods)
        sources = Sources(
            replica=replica,
            peers=peers,
            calls=calls,
            lag=lag,
            size_on_disk=engine.size,
            quota_bytes=config.quota_bytes,
            version=__version__,
        )
        hooks = Hooks(started=calls.started, handled=calls.handled, received=calls.received, sent=calls.sent)
        gateway = Gateway(
            methods,
            HealthPages(replica).pages(),
            metrics=NodeMetrics(sources).text,
            max_message_bytes=options.max_message_bytes,
            hooks=hooks,
        )
        return GrpcServer(methods, options=options, hooks=hooks, http1=gateway.protocol), gateway

    async def _start(self, replica: Replica, peers: TcpPeers, server: GrpcServer) -> None:
        config, settings = self._config, replica.settings
        for url in parse_urls(config.listen_peer_urls, "listen-peer-urls"):
            with _listening_on(url, "listen-peer-urls"):
                await peers.listen(url.host, url.port, replica)
        replica.start(peers)
        for url in parse_urls(config.listen_client_urls, "listen-client-urls"):
            with _listening_on(url, "listen-client-urls"):
                await server.listen(url.host, url.port)
        log.info(
            "serving", member=f"{settings.node_id:x}", cluster=f"{settings.cluster_id:x}", clients=config.listen_client_urls
        )
        _settle_memory()

    def _duties(self, replica: Replica) -> Iterator[Coroutine[Any, Any, None]]:
        config = self._config
        yield publish(replica, config.name, [str(url) for url in config.client_urls])
        retention = config.compaction_retention
        if retention and config.auto_compaction_mode == "periodic":
            yield keep_compacting(replica, PeriodicCompactor(retention, lambda: replica.store.revision, self._clock))
        elif retention:
            yield keep_compacting(replica, RevisionCompactor(int(retention), lambda: replica.store.revision))

    async def _leave(self, replica: Replica, server: GrpcServer, gateway: Gateway) -> None:
        """The others should not have to find out by silence."""
        if replica.failed.done():
            return
        with suppress(RaftKVError, TimeoutError):
            async with asyncio.timeout(HAND_OVER_S):
                await replica.hand_over()
        await _stop_serving(server, gateway, DRAIN_S)


async def _stop_serving(server: GrpcServer, gateway: Gateway, grace_s: float) -> None:
    """Both at once: the server waits for the connections that the gateway ends."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.stop(grace_s))
        tasks.create_task(gateway.stop(grace_s))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error behind a group of them: one line for the operator."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def identify(engine: Engine, config: ServerConfig) -> Identity:
    """Who this node is: as its data says, or, where there is none, as a first member of a new cluster.

    Raises:
        ConfigError: there is no data, and no new cluster is to be formed.
    """
    found = read_identity(engine)
    if found is not None:
        return found
    if config.initial_cluster_state != "new":
        raise ConfigError(
            f"--initial-cluster-state: {config.directory} holds no data of a member; "
            "start with 'new', or with the data directory of the member"
        )
    members = first_members(config.members, config.initial_cluster_token)
    own = member_id((str(url) for url in config.peer_urls), config.initial_cluster_token)
    identity = Identity(cluster_id(members), own, config.name)
    overlay = Overlay(engine)
    StateMachine(overlay).bootstrap(Membership(voters=tuple(members)), list(members.values()))
    batch = Batch(rows=overlay.seal())
    save_identity(batch, identity)
    engine.write(batch, sync=True)
    return identity


@contextmanager
def _listening_on(url: Url, flag: str) -> Iterator[None]:
    """Says which flag is to blame where an address cannot be had."""
    if url.scheme != "http":
        raise ConfigError(f"--{flag}: {url}: only http is served")
    try:
        yield
    except OSError as error:
        raise ConfigError(f"--{flag}: cannot listen on {url.address}: {error.strerror or error}") from error


def _raise_no_space(replica: Replica) -> None:
    """Tells the cluster that this node's quota is used up; whether it hears it at once does not matter."""
    node_id = replica.settings.node_id
    if (node_id, NOSPACE) in replica.machine.alarms:
        return
    request = AlarmRequest(action=AlarmRequest.ACTIVATE, memberID=node_id, alarm=NOSPACE)
    with suppress(RequestError):
        replica.propose(body(ALARM, request.SerializeToString()))


def _settle_memory() -> None:
    """What is there now stays for the life of the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
