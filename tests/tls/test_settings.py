"""What may be said about TLS, and what the flags say about it."""

from pathlib import Path
from typing import Any

import pytest

from raftkv.config import ServerConfig
from raftkv.errors import ConfigError
from raftkv.tls import ClientTLS, ServerTLS, TLSSettings
from tests.harness.certificates import Authority

FILES: dict[str, Any] = {"cert_file": Path("c.pem"), "key_file": Path("k.pem")}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"min_version": "TLS1.1"}, "--tls-min-version: 'TLS1.1' is not one of TLS1.2, TLS1.3"),
        ({"min_version": "TLS1.3", "max_version": "TLS1.2"}, "--tls-max-version: TLS1.2 is below --tls-min-version, TLS1.3"),
        ({"ciphers": ("TLS_RSA_WITH_RC4_128_SHA",)}, "--cipher-suites: TLS_RSA_WITH_RC4_128_SHA: unknown, or too weak"),
        (
            {"ciphers": ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",), "min_version": "TLS1.3"},
            "--cipher-suites: cannot be chosen where only TLS1.3 is spoken",
        ),
        ({"client_cert_auth": True}, "--client-cert-auth: needs --trusted-ca-file"),
        ({"client_cert_auth": True, "flags": "peer-"}, "--peer-client-cert-auth: needs --peer-trusted-ca-file"),
        ({"crl_file": Path("r.pem")}, "--client-crl-file: needs --trusted-ca-file"),
        ({"allowed_hosts": ("h",), "flags": "peer-"}, "--peer-cert-allowed-hostname: needs --peer-trusted-ca-file"),
        (
            {"allowed_hosts": ("h",), "allowed_names": ("n",), "trusted_ca_file": Path("a.pem"), "flags": "peer-"},
            "--peer-cert-allowed-cn and --peer-cert-allowed-hostname exclude each other",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_flag(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TLSSettings(**{**FILES, **settings})
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"listen_client_urls": "https://127.0.0.1:2379"}, "--listen-client-urls: https:// needs --cert-file and --key-file"),
        ({"listen_peer_urls": "https://127.0.0.1:2380"}, "--listen-peer-urls: https:// needs --peer-cert-file and"),
        (
            {"initial_cluster": "default=http://127.0.0.1:2380,b=https://h:1"},
            "--initial-cluster: https://h:1 needs --peer-cert",
        ),
        ({"cert_file": Path("c.pem")}, "--cert-file and --key-file must be given together"),
        ({"peer_key_file": Path("c.pem")}, "--peer-cert-file and --peer-key-file must be given together"),
        ({"self_signed_cert_validity": 0}, "--self-signed-cert-validity: must be positive"),
        ({"grpc_keepalive_min_time": "0s"}, "--grpc-keepalive-min-time: must be positive"),
        ({"max_connections": 0}, "--max-connections: must be positive"),
    ],
)
def test_settings_that_do_not_fit_together_are_one_line(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**settings)
    assert complaint in str(caught.value)


def test_flags_become_settings_of_each_side() -> None:
    config = ServerConfig(
        auto_tls=True,
        peer_cert_file=Path("p.pem"),
        peer_key_file=Path("p.key"),
        peer_trusted_ca_file=Path("ca.pem"),
        peer_cert_allowed_cn="a, b",
        cipher_suites="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        data_dir=Path("d"),
    )
    clients, peers = config.client_tls, config.peer_tls
    assert clients is not None
    assert peers is not None
    assert (clients.self_signed, clients.cert_file) == (True, Path("d/auto-tls/client.pem"))
    assert (peers.self_signed, peers.cert_file, peers.asks_clients) == (False, Path("p.pem"), True)
    assert peers.allowed_names == ("a", "b")
    assert peers.ciphers == clients.ciphers == ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("cert_file", "--peer-cert-file: "),
        ("key_file", "--peer-key-file: "),
        ("trusted_ca_file", "--peer-trusted-ca-file: "),
        ("crl_file", "--peer-crl-file: "),
    ],
)
def test_a_file_that_is_missing_is_named(authority: Authority, tmp_path: Path, broken: str, complaint: str) -> None:
    pair = authority.issue("node")
    files: dict[str, Any] = {"cert_file": pair.cert, "key_file": pair.key, "trusted_ca_file": authority.cert}
    absent = tmp_path / "absent.pem"
    with pytest.raises(ConfigError) as caught:
        ServerTLS(TLSSettings(**{**files, broken: absent}, flags="peer-"))
    assert str(caught.value) == f"{complaint}{absent} does not exist"


def test_a_file_that_is_not_what_it_should_be_is_named(authority: Authority, tmp_path: Path) -> None:
    pair, other = authority.issue("node"), authority.issue("other")
    text = tmp_path / "text.pem"
    text.write_text("hello")
    with pytest.raises(ConfigError, match=r"--cert-file: .*node.pem: does not belong to the key in the key file"):
        ClientTLS(TLSSettings(cert_file=pair.cert, key_file=other.key))
    with pytest.raises(ConfigError, match=r"--cert-file: .*text.pem: .*not in PEM form"):
        ServerTLS(TLSSettings(cert_file=text, key_file=pair.key))
    with pytest.raises(ConfigError, match=r"--trusted-ca-file: .*text.pem: has no certificate in PEM form"):
        ServerTLS(TLSSettings(cert_file=pair.cert, key_file=pair.key, trusted_ca_file=text))
