"""What a client needs to trust a server, and to be trusted by it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from raftkv.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSConfig:
    """The files of a TLS connection. With none given, the system's certificate authorities are trusted."""

    ca_file: str | Path | None = None
    """Certificate authorities to trust, PEM; None: the system's."""
    cert_file: str | Path | None = None
    """This client's certificate chain, PEM, where the server asks for one."""
    key_file: str | Path | None = None
    """The private key of `cert_file`, PEM; None: it stands in the same file."""
    server_name: str | None = None
    """The name that the server's certificate must carry; None: the endpoint's host."""
    verify: bool = True
    """False accepts any certificate: whoever is in between reads and changes everything."""

    def __post_init__(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise ConfigError("a TLS key without its certificate")

    def context(self) -> ssl.SSLContext:
        """The settings as OpenSSL takes them, for HTTP/2 (RFC 9113, 3.2: ALPN h2). Raises ConfigError for a bad file."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(file) for file in (self.ca_file, self.cert_file, self.key_file) if file is not None)
            raise ConfigError(f"TLS files {files}: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        return context
