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
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
import uvloop

from raftkv import __version__
from raftkv.apply.command import ALARM, body
from raftkv.apply.machine import StateMachine
from raftkv.clock import SystemClock, unix_time
from raftkv.config import ServerConfig, Url, parse_duration, parse_urls, parse_words
from raftkv.errors import ConfigError, RaftKVError, RemovedMemberError, RequestError
from raftkv.gateway.gateway import Gateway
from raftkv.gateway.health import Health as HealthPages
from raftkv.http2.options import Hooks, Options
from raftkv.http2.server import GrpcServer
from raftkv.metrics.calls import CallCounts
from raftkv.metrics.certificates import Certificates
from raftkv.metrics.health import HealthCounts
from raftkv.metrics.jobs import JobTimes
from raftkv.metrics.loop_lag import LoopLag
from raftkv.metrics.node import NodeMetrics
from raftkv.metrics.sources import Sources
from raftkv.mvcc.steps import finish
from raftkv.pb.rpc import NOSPACE, AlarmRequest, Member
from raftkv.peer.joining import ask_to_join
from raftkv.peer.tcp import Self, TcpPeers
from raftkv.raft.config import Config as RaftConfig
from raftkv.raft.raft import Raft
from raftkv.rpc.authentication import Authentication, AuthOptions, authentication
from raftkv.rpc.health import Health
from raftkv.rpc.kv import Limits
from raftkv.rpc.method import Method
from raftkv.rpc.services import services
from raftkv.rpc.tenants import Tenants
from raftkv.rpc.traced import traced
from raftkv.rpc.watch import WatchSettings
from raftkv.server.bootstrap import (
    cluster_id,
    find_newcomer,
    first_members,
    force_new_cluster,
    found_cluster,
    join_cluster,
    member_id,
)
from raftkv.server.compaction import PeriodicCompactor, RevisionCompactor, keep_compacting
from raftkv.server.corruption import CorruptionCheck
from raftkv.server.lease_keeper import LeaseKeeper, LeaseSettings
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper
from raftkv.server.parts import Parts, Settings
from raftkv.server.probing import PeerProbes
from raftkv.server.publish import publish
from raftkv.server.quota import Quota
from raftkv.server.rendezvous_keeper import RendezvousKeeper
from raftkv.server.replica import Replica
from raftkv.storage.engine import Engine
from raftkv.storage.identity import Identity, read_identity
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.thread import StorageThread
from raftkv.telemetry import configure_logs
from raftkv.tls import ClientTLS, ServerTLS, TLSSettings
from raftkv.tracing import Recorder, Sampling, open_recorder
from raftkv.ui import Dashboard

log = structlog.get_logger(__name__)

MESSAGE_OVERHEAD_BYTES = 512 * 1024
"""What a gRPC message may have beyond the request's own limit, as in etcd."""
HAND_OVER_S = 1.5
DRAIN_S = 2.0
"""Together with HAND_OVER_S well within the 5 s that a stop may take."""
GC_THRESHOLD = 50_000
"""Requests make few cycles; a full collection of a large heap would be a pause that clients see."""
MAX_APPENDS = 2
"""Appends on their way to one follower: one that is answered while the next one travels. More make smaller batches, and every
batch costs a sync, a message and a turn on each node: at 100 clients 2 did 15 % more than 4, and 4 cost a fifth less CPU than 512."""
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
    configure_logs(config.log_level, config.log_format, parse_words(config.log_outputs) or ("stderr",))
    uvloop.run(_Daemon(config).run())


class _Daemon:
    """One node's process, from start to stop."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._clock = SystemClock()
        self._rng = random.Random(os.urandom(32))  # noqa: S311 (jitter and numbers that must differ, no secrets)
        self._recorder: Recorder | None = None
        """Of requests that are traced."""

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
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)
        log.info("stopped")

    async def _serve(self, engine: RocksEngine, storage: StorageThread, asked_to_stop: "asyncio.Future[None]") -> None:
        identity = await identify(engine, self._config)
        parts = self._parts(identity, engine, storage)
        self._recorder = open_recorder(
            self._config.collector,
            service=self._config.tracing_service_name,
            node=f"{identity.node_id:x}",
            now=self._clock.now,
            unix_time=unix_time,
        )
        if identity.node_id in parts.machine.removed:
            raise RemovedMemberError(identity.node_id)
        async with asyncio.TaskGroup() as tasks:
            replica = Replica(self._settings(identity), parts, asyncio.get_running_loop(), tasks)
            peer_tls = ready_for_use(self._config.peer_tls, self._config)
            peers = TcpPeers(
                Self(identity.cluster_id, identity.node_id, __version__),
                tasks,
                server_tls=ServerTLS(peer_tls) if peer_tls else None,
                client_tls=ClientTLS(peer_tls) if peer_tls else None,
            )
            health = Health()
            lag = LoopLag()
            proofs = authentication(replica, self._clock, auth_options(self._config))
            jobs = RendezvousKeeper(replica, self._clock, asyncio.get_running_loop())
            leases = LeaseKeeper(
                replica,
                self._clock,
                asyncio.get_running_loop(),
                LeaseSettings(election_timeout_s=self._config.election_timeout / 1000),
            )
            lighthouse = LighthouseKeeper(replica, self._clock, asyncio.get_running_loop(), unix_time)
            callers = LighthouseCallers(replica, self._clock, asyncio.get_running_loop())
            job_times = JobTimes(lambda: replica.machine.rendezvous.jobs, jobs.pace.summaries)
            probes = PeerProbes(replica, self._clock, unix_time, __version__)
            server, gateway = self._servers(
                replica,
                health,
                engine,
                peers,
                lag,
                proofs=proofs,
                leases=leases,
                probes=probes,
                job_times=job_times,
                callers=callers,
            )
            replica.turn_ended = server.flush
            try:
                leases.start()
                jobs.start()
                lighthouse.start()
                callers.start()
                await self._start(replica, peers, server)
                lag.start()
                job_times.start()
                duties = [tasks.create_task(duty) for duty in self._duties(replica, probes)]
                await asyncio.wait([asked_to_stop, replica.failed], return_when=asyncio.FIRST_COMPLETED)
                log.info("stopping")
                health.stop_serving()
                callers.stop()
                for duty in duties:
                    duty.cancel()
                await self._leave(replica, server, gateway)
            finally:
                lag.stop()
                job_times.stop()
                leases.stop()
                jobs.stop()
                lighthouse.stop()
                callers.stop()
                proofs.passwords.stop()
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
            strict_reconfig=config.strict_reconfig_check,
            max_learners=config.max_learners,
            slow_request_s=config.seconds("warning_unary_request_duration"),
            slow_apply_s=config.seconds("warning_apply_duration"),
        )

    def _servers(
        self,
        replica: Replica,
        health: Health,
        engine: RocksEngine,
        peers: TcpPeers,
        lag: LoopLag,
        *,
        proofs: Authentication,
        leases: LeaseKeeper,
        probes: PeerProbes,
        job_times: JobTimes,
        callers: LighthouseCallers,
    ) -> tuple[GrpcServer, Gateway]:
        """Two protocols on the clients' ports."""
        config = self._config
        quota = Quota(config.quota_bytes, lambda: replica.store.size_in_use, lambda: _raise_no_space(replica))
        limits = Limits(max_request_bytes=config.max_request_bytes, max_txn_ops=config.max_txn_ops)
        options = server_options(config)
        watch = watch_settings(config)
        tenants = Tenants(replica.machine.quotas, self._clock.now)
        methods = services(
            replica,
            health,
            quota,
            limits,
            engine.size,
            authentication=proofs,
            watch=watch,
            tenants=tenants,
            lighthouse=callers,
            rng=self._rng,
        )
        if self._recorder is not None:
            methods = self._traced(replica, methods, self._recorder)
        calls = CallCounts(methods)
        health_counts = HealthCounts()
        sources = Sources(
            replica=replica,
            peers=peers,
            probes=probes,
            calls=calls,
            health=health_counts,
            certificates=Certificates(certificate_files(config)),
            lag=lag,
            leases=leases,
            job_times=job_times,
            tenants=tenants,
            size_on_disk=engine.size,
            open_views=lambda: engine.open_views,
            quota_bytes=config.quota_bytes,
            version=__version__,
        )
        hooks = Hooks(started=calls.started, handled=calls.handled, received=calls.received, sent=calls.sent)
        dashboard = Dashboard(sources, proofs.access, methods, clock=self._clock, unix_time=unix_time)
        dashboard.start()
        gateway = Gateway(
            methods,
            {**HealthPages(replica, health_counts).pages(), **dashboard.pages()},
            metrics=NodeMetrics(sources).text,
            max_message_bytes=options.max_message_bytes,
            hooks=hooks,
            leaving=dashboard.stop,
        )
        return GrpcServer(methods, options=options, hooks=hooks, http1=gateway.protocol), gateway

    def _traced(self, replica: Replica, methods: list[Method], recorder: Recorder) -> list[Method]:
        """The methods, with their calls recorded that are to be."""
        replica.times.recorder = recorder
        sampling = Sampling(self._config.sample_ratio, self._rng)
        return [traced(method, recorder, sampling) for method in methods]

    async def _start(self, replica: Replica, peers: TcpPeers, server: GrpcServer) -> None:
        config, settings = self._config, replica.settings
        for url in parse_urls(config.listen_peer_urls, "listen-peer-urls"):
            with _listening_on(url, "listen-peer-urls", config.peer_tls):
                await peers.listen(url.host, url.port, replica, secure=url.scheme == "https")
        replica.start(peers)
        client_tls = ready_for_use(config.client_tls, config)
        tls = ServerTLS(client_tls) if client_tls else None
        for url in parse_urls(config.listen_client_urls, "listen-client-urls"):
            with _listening_on(url, "listen-client-urls", client_tls):
                await server.listen(url.host, url.port, tls=tls if url.scheme == "https" else None)
        log.info(
            "serving", member=f"{settings.node_id:x}", cluster=f"{settings.cluster_id:x}", clients=config.listen_client_urls
        )
        _settle_memory()

    def _duties(self, replica: Replica, probes: PeerProbes) -> Iterator[Coroutine[Any, Any, None]]:
        config = self._config
        yield probes.keep_probing()
        yield publish(replica, config.name, [str(url) for url in config.client_urls])
        check = CorruptionCheck(replica)
        if config.experimental_initial_corrupt_check:
            yield check.check_start()
        after_compactions = config.seconds("compact_hash_check_time") if config.compact_hash_check_enabled else 0.0
        if (periodic := config.seconds("corrupt_check_time")) or after_compactions:
            yield check.keep_checking(periodic, after_compactions)
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


def watch_settings(config: ServerConfig) -> WatchSettings:
    """How watches behave, as the flags say."""
    return WatchSettings(
        progress_interval_s=parse_duration(config.watch_progress_notify_interval, "watch-progress-notify-interval"),
        fragment_bytes=config.max_request_bytes + MESSAGE_OVERHEAD_BYTES,
        election_timeout_s=config.election_timeout / 1000,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error behind a group of them: one line for the operator."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def identify(engine: Engine, config: ServerConfig) -> Identity:
    """Who this node is: as its data says, or, where there is none, as a first member of a new cluster or one added to another.

    Raises:
        ConfigError: there is no data, and nobody who would make this node a member.
    """
    found = read_identity(engine)
    if found is not None:
        if config.force_new_cluster:
            log.warning("making this node the only member of its cluster", member=f"{found.node_id:x}")
            force_new_cluster(engine, found)
        return found
    if config.force_new_cluster:
        raise ConfigError(f"--force-new-cluster: {config.directory} holds no data of a member to go on with")
    if config.initial_cluster_state != "new":
        return await join(engine, config)
    members = first_members(config.members, config.initial_cluster_token)
    own = member_id((str(url) for url in config.peer_urls), config.initial_cluster_token)
    identity = Identity(cluster_id(members), own, config.name)
    found_cluster(engine, identity, list(members.values()))
    return identity


async def join(engine: Engine, config: ServerConfig) -> Identity:
    """Asks the members of --initial-cluster which of them this node, which was added, is to be."""
    settings = ready_for_use(config.peer_tls, config)
    tls = ClientTLS(settings).context if settings else None
    mine = [str(url) for url in config.peer_urls]
    others = [url for urls in config.members.values() for url in urls if url not in mine]

    def choose(members: Sequence[Member]) -> Member:
        return find_newcomer(mine, config.members, members)

    found = await ask_to_join(others, tls, choose)
    identity = Identity(found.cluster_id, found.own.ID, config.name)
    join_cluster(engine, identity, found.members)
    return identity


def auth_options(config: ServerConfig) -> AuthOptions:
    """How callers prove who they are."""
    return AuthOptions(token=config.auth_token, token_ttl_s=config.auth_token_ttl, bcrypt_cost=config.bcrypt_cost)


def certificate_files(config: ServerConfig) -> dict[str, Path]:
    """The certificates that the node shows, by whom it shows them to."""
    settings = {"client": config.client_tls, "peer": config.peer_tls}
    return {use: tls.cert_file for use, tls in settings.items() if tls is not None}


def server_options(config: ServerConfig) -> Options:
    """The limits against clients."""
    return Options(
        max_connections=config.max_connections,
        max_calls=config.max_concurrent_calls,
        max_concurrent_streams=config.max_concurrent_streams,
        max_message_bytes=config.max_request_bytes + MESSAGE_OVERHEAD_BYTES,
        keepalive_interval_seconds=config.seconds("grpc_keepalive_interval"),
        keepalive_timeout_seconds=config.seconds("grpc_keepalive_timeout"),
        min_ping_interval_seconds=config.seconds("grpc_keepalive_min_time"),
        trust_common_names=config.client_cert_auth,
        headers=(("raftkv-version", __version__),),
    )


def ready_for_use(settings: TLSSettings | None, config: ServerConfig) -> TLSSettings | None:
    """The settings, with their certificate on disk if it is of the node's own making.

    Raises:
        ConfigError: it cannot be written.
    """
    if settings is not None and settings.self_signed:
        from raftkv.tls.self_signed import keep_certificate  # noqa: PLC0415 (few need it, and it takes a while to load)

        urls = {*config.client_urls, *config.peer_urls}
        urls |= {*parse_urls(config.listen_client_urls, "listen-client-urls")}
        urls |= {*parse_urls(config.listen_peer_urls, "listen-peer-urls")}
        years = config.self_signed_cert_validity
        hosts = {url.host for url in urls}
        keep_certificate(settings.cert_file, settings.key_file, hosts, years=years, now_s=unix_time())
    return settings


@contextmanager
def _listening_on(url: Url, flag: str, tls: TLSSettings | None) -> Iterator[None]:
    """Says which flag is to blame where an address cannot be had, and where it is not what it was perhaps meant to be."""
    if url.scheme == "http" and tls is not None:
        log.warning(
            "plain text is spoken here, for the URL begins with http://; the certificate is not used", flag=flag, url=str(url)
        )
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
