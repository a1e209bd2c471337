"""Settings: etcd's defaults, and one clear line for what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from raftkv.config import ServerConfig, parse_cluster, parse_duration, parse_url
from raftkv.errors import ConfigError


def test_no_settings_are_a_single_node() -> None:
    config = ServerConfig()
    assert config.members == {"default": ("http://127.0.0.1:2380",)}
    assert config.directory == Path("default.raftkv")
    assert [str(url) for url in config.client_urls] == ["http://127.0.0.1:2379"]
    assert config.quota_bytes == 2 << 30
    assert config.compaction_retention == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"name": "a,b"}, "--name: 'a,b' must be a word"),
        ({"heartbeat_interval": 0}, "--heartbeat-interval: must be positive"),
        ({"election_timeout": 300}, "--election-timeout: 300 ms should be at least 5 times"),
        ({"election_timeout": 60_000}, "--election-timeout: 60000 ms is more than the 50000 ms"),
        ({"auth_token": "none"}, "--auth-token: 'none' is neither 'simple' nor 'jwt,...'"),
        ({"bcrypt_cost": 3}, "--bcrypt-cost: must be from 4 to 31, not 3"),
        ({"auth_token_ttl": 0}, "--auth-token-ttl: must be positive, not 0"),
        ({"max_txn_ops": 0}, "--max-txn-ops: must be positive, not 0"),
        ({"listen_client_urls": "127.0.0.1:2379"}, "--listen-client-urls: '127.0.0.1:2379' must look like http://host:port"),
        ({"listen_client_urls": "http://h:99999"}, "--listen-client-urls: 'http://h:99999' is not a URL"),
        ({"listen_peer_urls": "http://127.0.0.1:1/x"}, "must not have more than scheme, host and port"),
        ({"initial_cluster": "default"}, "--initial-cluster: 'default' must look like name=http://host:port"),
        ({"initial_cluster": "x=http://h:1"}, "--initial-cluster: does not name this node, 'default'"),
        ({"initial_cluster": "default=http://h:1"}, "--initial-cluster: has http://h:1 for 'default', but"),
        ({"initial_cluster": "default=http://h:1,b=http://h:1"}, "--initial-cluster: http://h:1 is given twice"),
        ({"initial_cluster_state": "old"}, "--initial-cluster-state: 'old' is not one of new, existing"),
        ({"log_level": "loud"}, "--log-level: 'loud' is not one of debug, info, warn, error"),
        ({"auto_compaction_retention": "1y"}, "--auto-compaction-retention: '1y' is not a duration"),
        ({"auto_compaction_mode": "revision", "auto_compaction_retention": "1h"}, "is not a number of revisions"),
    ],
    ids=lambda value: None if isinstance(value, str) else ",".join(map(str, value.items())),
)
def test_what_cannot_be_is_refused_by_its_flag(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**settings)
    assert complaint in str(caught.value)


def test_members_may_have_several_urls() -> None:
    assert parse_cluster("a=http://h1:1,b=http://h2:2,a=http://h1:3") == {
        "a": ("http://h1:1", "http://h1:3"),
        "b": ("http://h2:2",),
    }


def test_urls_keep_ipv6_hosts_apart_from_ports() -> None:
    url = parse_url("http://[::1]:2379", "listen-client-urls")
    assert (url.host, url.port, str(url)) == ("::1", 2379, "http://[::1]:2379")


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400.0), ("500ms", 0.5), ("1.5s", 1.5), ("0s", 0.0)])
def test_durations_read_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text, "x") == seconds


@pytest.mark.parametrize(
    ("mode", "text", "kept"), [("periodic", "2", 7200.0), ("periodic", "90s", 90.0), ("revision", "7", 7.0)]
)
def test_retention_depends_on_the_mode(mode: str, text: str, kept: float) -> None:
    assert ServerConfig(auto_compaction_mode=mode, auto_compaction_retention=text).compaction_retention == kept


def test_quota_zero_is_the_default_and_negative_is_none() -> None:
    assert ServerConfig(quota_backend_bytes=0).quota_bytes == 2 << 30
    assert ServerConfig(quota_backend_bytes=-1).quota_bytes is None
