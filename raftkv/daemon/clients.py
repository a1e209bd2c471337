"""What a node's clients meet: gRPC and HTTP/1.1 on the same ports, with what counts, traces and shows it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

from raftkv import __version__
from raftkv.apply.command import ALARM, body
from raftkv.clock import unix_time
from raftkv.config import ServerConfig, Url, parse_urls
from raftkv.daemon.flags import certificate_files, limits, ready_for_use, server_options, watch_settings
from raftkv.daemon.node import Node
from raftkv.errors import ConfigError, RequestError
from raftkv.gateway.gateway import Gateway
from raftkv.gateway.health import Health as HealthPages
from raftkv.http2.options import Hooks
from raftkv.http2.server import GrpcServer
from raftkv.metrics.calls import CallCounts
from raftkv.metrics.certificates import Certificates
from raftkv.metrics.health import HealthCounts
from raftkv.metrics.node import NodeMetrics
from raftkv.metrics.sources import Sources
from raftkv.pb.rpc import NOSPACE, AlarmRequest
from raftkv.rpc.method import Method
from raftkv.rpc.services import services
from raftkv.rpc.traced import traced
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica
from raftkv.tls import ServerTLS, TLSSettings
from raftkv.tracing import Recorder, Sampling
from raftkv.ui import Dashboard

log = structlog.get_logger(__name__)


class Clients:
    """The clients' ports of one node."""

    def __init__(self, node: Node, config: ServerConfig, recorder: Recorder | None) -> None:
        """`recorder`: of requests that are traced."""
        self._config = config
        methods = _methods(node, config)
        if recorder is not None:
            methods = _traced(node, methods, recorder, config.sample_ratio)
        calls = CallCounts(methods)
        sources = _sources(node, config, calls)
        options = server_options(config)
        hooks = Hooks(started=calls.started, handled=calls.handled, received=calls.received, sent=calls.sent)
        dashboard = Dashboard(sources, node.proofs.access, methods, clock=node.clock, unix_time=unix_time)
        dashboard.start()
        self._gateway = Gateway(
            methods,
            {**HealthPages(node.replica, sources.health).pages(), **dashboard.pages()},
            metrics=NodeMetrics(sources).text,
            max_message_bytes=options.max_message_bytes,
            hooks=hooks,
            leaving=dashboard.stop,
        )
        self._server = GrpcServer(methods, options=options, hooks=hooks, http1=self._gateway.protocol)
        node.replica.turn_ended = self._server.flush

    async def listen(self) -> None:
        """Begins to serve.

        Raises:
            ConfigError: an address cannot be had.
        """
        client_tls = ready_for_use(self._config.client_tls, self._config)
        tls = ServerTLS(client_tls) if client_tls else None
        for url in parse_urls(self._config.listen_client_urls, "listen-client-urls"):
            with listening_on(url, "listen-client-urls", client_tls):
                await self._server.listen(url.host, url.port, tls=tls if url.scheme == "https" else None)

    async def stop(self, grace_s: float) -> None:
        """Both at once: the server waits for the connections that the gateway ends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._server.stop(grace_s))
            tasks.create_task(self._gateway.stop(grace_s))


def _methods(node: Node, config: ServerConfig) -> list[Method]:
    replica = node.replica
    quota = Quota(config.quota_bytes, lambda: replica.store.size_in_use, lambda: _raise_no_space(replica))
    return services(
        replica,
        node.health,
        quota,
        limits(config),
        node.engine.size,
        authentication=node.proofs,
        watch=watch_settings(config),
        tenants=node.tenants,
        lighthouse=node.callers,
        rng=node.rng,
    )


def _traced(node: Node, methods: Sequence[Method], recorder: Recorder, ratio: float) -> list[Method]:
    """The methods, with their calls recorded that are to be."""
    node.replica.times.recorder = recorder
    sampling = Sampling(ratio, node.rng)
    return [traced(method, recorder, sampling) for method in methods]


def _sources(node: Node, config: ServerConfig, calls: CallCounts) -> Sources:
    return Sources(
        replica=node.replica,
        peers=node.peers,
        probes=node.probes,
        calls=calls,
        health=HealthCounts(),
        certificates=Certificates(certificate_files(config)),
        lag=node.lag,
        leases=node.leases,
        job_times=node.job_times,
        lighthouse=node.lighthouse,
        lighthouse_callers=node.callers,
        tenants=node.tenants,
        size_on_disk=node.engine.size,
        open_views=lambda: node.engine.open_views,
        quota_bytes=config.quota_bytes,
        version=__version__,
    )


@contextmanager
def listening_on(url: Url, flag: str, tls: TLSSettings | None) -> Iterator[None]:
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
