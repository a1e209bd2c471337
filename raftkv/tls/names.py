"""What a verified certificate says about its owner (RFC 5280), as `SSLSocket.getpeercert` gives it."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

Certificate = Mapping[str, Any]


def common_name(certificate: Certificate | None) -> str:
    """The subject's common name, or nothing."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""


def valid_for(certificate: Certificate | None, host: str) -> bool:
    """Whether the certificate names this host or address among its alternative names (RFC 9525; a CN is no host name)."""
    address = _address(host)
    return any(
        _address(value) == address if address is not None else kind == "DNS" and _same_host(value, host)
        for kind, value in _alternatives(certificate)
        if (kind == "IP Address") == (address is not None)
    )


def hosts_of(certificate: Certificate | None) -> list[str]:
    """All hosts and addresses that it names."""
    return [value for kind, value in _alternatives(certificate) if kind in {"DNS", "IP Address"}]


def _alternatives(certificate: Certificate | None) -> Iterator[tuple[str, str]]:
    for kind, value in (certificate or {}).get("subjectAltName", ()):
        yield str(kind), str(value)


def _same_host(pattern: str, host: str) -> bool:
    """`*` stands for exactly the first label."""
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if pattern.startswith("*."):
        label, dot, rest = host.partition(".")
        return bool(label and dot) and rest == pattern[2:]
    return pattern == host


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None
