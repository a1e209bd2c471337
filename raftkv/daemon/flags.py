"""The flags, as each part of a node wants to hear them."""

from pathlib import Path

from raftkv import __version__
from raftkv.clock import unix_time
from raftkv.config import ServerConfig, parse_duration, parse_urls
from raftkv.http2.options import Options
from raftkv.raft.config import Config as RaftConfig
from raftkv.rpc.authentication import AuthOptions
from raftkv.rpc.kv import Limits
from raftkv.rpc.watch import WatchSettings
from raftkv.server.parts import Settings
from raftkv.storage.identity import Identity
from raftkv.tls import TLSSettings

MESSAGE_OVERHEAD_BYTES = 512 * 1024
"""What a gRPC message may have beyond the request's own limit, as in etcd."""
MAX_APPENDS = 2
"""Appends on their way to one follower: one that is answered while the next one travels. More make smaller batches, and every
batch costs a sync, a message and a turn on each node: at 100 clients 2 did 15 % more than 4, and 4 cost a fifth less CPU than 512."""
MAX_APPEND_BYTES = 256 * 1024
"""With MAX_APPENDS, what a leader reads from disk in one go for a follower that is behind: milliseconds, not more."""
PATIENCE_S = 5.0
"""What a request may wait for the cluster, besides two election timeouts; as in etcd."""


def raft_config(config: ServerConfig, node_id: int) -> RaftConfig:
    """How consensus is driven."""
    return RaftConfig(
        node_id,
        election_ticks=config.election_timeout // config.heartbeat_interval,
        max_append_bytes=MAX_APPEND_BYTES,
        max_inflight_bytes=MAX_APPENDS * MAX_APPEND_BYTES,
        max_inflight_messages=MAX_APPENDS,
    )


def replica_settings(config: ServerConfig, identity: Identity) -> Settings:
    """How the replica behaves."""
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


def limits(config: ServerConfig) -> Limits:
    """What a request may be."""
    return Limits(max_request_bytes=config.max_request_bytes, max_txn_ops=config.max_txn_ops)


def watch_settings(config: ServerConfig) -> WatchSettings:
    """How watches behave, as the flags say."""
    return WatchSettings(
        progress_interval_s=parse_duration(config.watch_progress_notify_interval, "watch-progress-notify-interval"),
        fragment_bytes=config.max_request_bytes + MESSAGE_OVERHEAD_BYTES,
        election_timeout_s=config.election_timeout / 1000,
    )


def auth_options(config: ServerConfig) -> AuthOptions:
    """How callers prove who they are."""
    return AuthOptions(token=config.auth_token, token_ttl_s=config.auth_token_ttl, bcrypt_cost=config.bcrypt_cost)


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


def certificate_files(config: ServerConfig) -> dict[str, Path]:
    """The certificates that the node shows, by whom it shows them to."""
    settings = {"client": config.client_tls, "peer": config.peer_tls}
    return {use: tls.cert_file for use, tls in settings.items() if tls is not None}


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
