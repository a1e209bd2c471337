"""What an operator says about TLS on one kind of port, checked when it is made."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raftkv.errors import ConfigError

VERSIONS: Final[Mapping[str, ssl.TLSVersion]] = {"TLS1.2": ssl.TLSVersion.TLSv1_2, "TLS1.3": ssl.TLSVersion.TLSv1_3}
"""No older one: they are broken (RFC 8996)."""

CIPHERS: Final[Mapping[str, str]] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""IANA's names, which etcd's flag takes, and OpenSSL's. Only those that HTTP/2 allows (RFC 9113, appendix A)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSSettings:
    """One identity and whom it trusts. `flags` is what stands before the flags' names in complaints: nothing, or `peer-`."""

    cert_file: Path
    """The certificate chain, PEM."""
    key_file: Path
    """Its private key, PEM."""
    trusted_ca_file: Path | None = None
    """Who may vouch for the other side, PEM. Where it is given, clients must show a certificate, as in etcd."""
    crl_file: Path | None = None
    """Certificates that were revoked: a list, PEM, of each authority in `trusted_ca_file`."""
    client_cert_auth: bool = False
    """Clients must show a certificate."""
    allowed_names: tuple[str, ...] = ()
    """Common names, one of which the other side's certificate must have; empty: any."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names or addresses, for one of which the other side's certificate must be valid; empty: any."""
    self_signed: bool = False
    """The certificate is of our own making: it encrypts, and proves nothing to anybody."""
    min_version: str = "TLS1.2"
    max_version: str = ""
    """Empty: the newest."""
    ciphers: tuple[str, ...] = ()
    """For TLS 1.2, by IANA's names; empty: all of CIPHERS. Those of TLS 1.3 are all good."""
    flags: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot work, naming the flag."""
        for flag, version in (("tls-min-version", self.min_version), ("tls-max-version", self.max_version or "TLS1.3")):
            if version not in VERSIONS:
                raise ConfigError(f"--{flag}: {version!r} is not one of {', '.join(VERSIONS)}")
        if VERSIONS[self.max_version or "TLS1.3"] < VERSIONS[self.min_version]:
            raise ConfigError(f"--tls-max-version: {self.max_version} is below --tls-min-version, {self.min_version}")
        if unknown := [name for name in self.ciphers if name not in CIPHERS]:
            raise ConfigError(f"--cipher-suites: {', '.join(unknown)}: unknown, or too weak for HTTP/2")
        if self.ciphers and self.min_version == "TLS1.3":
            raise ConfigError("--cipher-suites: cannot be chosen where only TLS1.3 is spoken")
        if self.trusted_ca_file is None:
            for flag, given in self._that_need_an_authority:
                if given:
                    raise ConfigError(f"--{self.flags}{flag}: needs --{self.flags}trusted-ca-file")
        if self.allowed_names and self.allowed_hosts:
            raise ConfigError(f"--{self.flags}cert-allowed-cn and --{self.flags}cert-allowed-hostname exclude each other")

    @property
    def _that_need_an_authority(self) -> tuple[tuple[str, bool], ...]:
        prefix = "" if self.flags else "client-"
        return (
            ("client-cert-auth", self.client_cert_auth),
            (f"{prefix}crl-file", self.crl_file is not None),
            ("cert-allowed-cn", bool(self.allowed_names)),
            (f"{prefix}cert-allowed-hostname", bool(self.allowed_hosts)),
        )

    @property
    def asks_clients(self) -> bool:
        """Whether a client must show a certificate."""
        return self.client_cert_auth or self.trusted_ca_file is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, whose change means new contexts."""
        named = (self.cert_file, self.key_file, self.trusted_ca_file, self.crl_file)
        return tuple(file for file in named if file is not None)
