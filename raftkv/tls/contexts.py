"""OpenSSL's contexts of our settings. They follow their files: a connection made after a file changed has what it now says.

    asked for a context --files as before--> the same
                        --files changed--> read --good--> the new one, from here on
                                                --bad---> the old one; said once per change

So certificates are renewed by replacing files, in any order: a certificate whose key is not there yet is bad for a moment.
Looking costs a stat() per file and connection. Sessions are never resumed: a ticket would outlive the revocation of the
certificate that it was given for.
"""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from raftkv.errors import ConfigError
from raftkv.tls.names import Certificate, common_name, valid_for
from raftkv.tls.settings import CIPHERS, VERSIONS, TLSSettings

log = structlog.get_logger(__name__)

_OTHERS = 0o077


class _Following:
    """What is made of some files, made again when they change."""

    def __init__(self, files: Sequence[Path], make: Callable[[], ssl.SSLContext]) -> None:
        """Raises ConfigError where the files are bad from the beginning."""
        self._files = files
        self._make = make
        self._marks = self._look()
        self._context = make()

    def context(self) -> ssl.SSLContext:
        marks = self._look()
        if marks != self._marks:
            self._marks = marks
            try:
                self._context = self._make()
            except ConfigError as error:
                log.warning("changed TLS files are not usable, the old ones stay in use", reason=str(error))
            else:
                log.info("TLS files were read again", files=[str(file) for file in self._files])
        return self._context

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_mark(file) for file in self._files]


class _Sided:
    """What both sides have: settings, a context, and a look at the other side's certificate."""

    def __init__(self, settings: TLSSettings, make: Callable[[TLSSettings], ssl.SSLContext]) -> None:
        self.settings = settings
        self._following = _Following(settings.files, lambda: make(settings))

    def refusal(self, certificate: Certificate | None) -> str:
        """Why the other side, whose certificate is verified already, is not let in; empty: it is."""
        settings = self.settings
        if settings.allowed_names and common_name(certificate) not in settings.allowed_names:
            return f"certificate of {common_name(certificate)!r}, which is not an allowed common name"
        if settings.allowed_hosts and not any(valid_for(certificate, host) for host in settings.allowed_hosts):
            return "certificate that is not valid for an allowed host name"
        return ""


class ServerTLS(_Sided):
    """The listening side."""

    def __init__(self, settings: TLSSettings) -> None:
        """Raises ConfigError where a file cannot be used."""
        super().__init__(settings, _server_context)
        _warn_of_open_key(settings.key_file)
        self._alpn: tuple[ssl.SSLContext, tuple[str, ...]] | None = None

    def context(self, *protocols: str) -> ssl.SSLContext:
        """For the next connection; `protocols` are offered by ALPN."""
        context = self._following.context()
        if self._alpn != (context, protocols):
            self._alpn = (context, protocols)
            context.set_alpn_protocols(protocols)
        return context


class ClientTLS(_Sided):
    """The dialling side, which shows the same certificate where it is asked for one."""

    def __init__(self, settings: TLSSettings) -> None:
        """Raises ConfigError where a file cannot be used."""
        super().__init__(settings, _client_context)

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        return self._following.context()


def _server_context(settings: TLSSettings) -> ssl.SSLContext:
    context = _common(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    if settings.asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        if settings.trusted_ca_file is not None:
            _read(settings, "trusted-ca-file", settings.trusted_ca_file, context.load_verify_locations)
        if settings.crl_file is not None:
            flag = "crl-file" if settings.flags else "client-crl-file"
            _read(settings, flag, settings.crl_file, context.load_verify_locations)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _client_context(settings: TLSSettings) -> ssl.SSLContext:
    context = _common(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), settings)
    if settings.self_signed:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.trusted_ca_file is not None:
        _read(settings, "trusted-ca-file", settings.trusted_ca_file, context.load_verify_locations)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _common(context: ssl.SSLContext, settings: TLSSettings) -> ssl.SSLContext:
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version or "TLS1.3"]
    context.set_ciphers(":".join(dict.fromkeys(CIPHERS[name] for name in settings.ciphers or CIPHERS)))
    _read(settings, "cert-file", settings.cert_file, lambda file: context.load_cert_chain(file, settings.key_file))
    return context


def _read(settings: TLSSettings, flag: str, file: Path, load: Callable[[Path], None]) -> None:
    """Says which flag is to blame."""
    try:
        load(file)
    except FileNotFoundError as error:
        absent = file if not file.exists() else settings.key_file
        flag = flag if absent is file else "key-file"
        raise ConfigError(f"--{settings.flags}{flag}: {absent} does not exist") from error
    except ssl.SSLError as error:
        raise ConfigError(f"--{settings.flags}{flag}: {file}: {_reason(error)}") from error
    except OSError as error:
        raise ConfigError(f"--{settings.flags}{flag}: {file}: {error.strerror or error}") from error


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's word as one that an operator may understand."""
    reason = error.reason or ("PEM_LIB" if "PEM lib" in str(error) else "")
    known = {
        "KEY_VALUES_MISMATCH": "does not belong to the key in the key file",
        "PEM_LIB": "the file, or that of its key, is not in PEM form",
        "NO_START_LINE": "is not in PEM form",
        "NO_CERTIFICATE_OR_CRL_FOUND": "has no certificate in PEM form",
    }
    return known.get(reason, reason.lower().replace("_", " ") or str(error))


def _mark(file: Path) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _warn_of_open_key(file: Path) -> None:
    if file.stat().st_mode & _OTHERS:
        log.warning("other users may read or change this private key", file=str(file))
