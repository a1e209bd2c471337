"""Where a server listens, as users write it: `host`, `host:port`, `http://host:port`, `https://[::1]:2379`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from raftkv.errors import ConfigError

DEFAULT_PORT = 2379


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a server. `tls`: whether the connection is encrypted."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str, *, tls: bool) -> Endpoint:
    """Reads one endpoint; `tls` decides where no scheme is written. Raises ConfigError.

    A client that was given keys never falls back to plain text, so `http://` contradicts `tls`.
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"endpoint {text!r}: {error}") from None
    if parts.scheme not in {"", "http", "https"}:
        raise ConfigError(f"endpoint {text!r}: the scheme is http, https or left out")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(f"endpoint {text!r}: write host:port")
    if parts.scheme == "http" and tls:
        raise ConfigError(f"endpoint {text!r}: http contradicts the TLS options")
    return Endpoint(parts.hostname, DEFAULT_PORT if port is None else port, tls=tls or parts.scheme == "https")


def parse_endpoints(endpoints: str | Sequence[str], *, tls: bool = False) -> tuple[Endpoint, ...]:
    """Reads a list, or a string with commas; each address once, in the order given. Raises ConfigError when none is left."""
    texts: Iterable[str] = endpoints.split(",") if isinstance(endpoints, str) else endpoints
    parsed = [parse_endpoint(text.strip(), tls=tls) for text in texts if text.strip()]
    if not parsed:
        raise ConfigError("no endpoint given")
    return tuple(dict.fromkeys(parsed))
