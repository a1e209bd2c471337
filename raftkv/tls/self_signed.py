"""Certificates of our own making (--auto-tls, --peer-auto-tls): they encrypt, and prove nothing to anybody."""

import ipaddress
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from raftkv.errors import ConfigError

CLOCK_SKEW = timedelta(hours=1)
"""How far the other side's clock may be behind."""
DAYS_OF_A_YEAR = 365


def keep_certificate(cert_file: Path, key_file: Path, hosts: Iterable[str], *, years: int, now_s: float) -> None:
    """Leaves a certificate and its key in these files: what is there, if it is still good for these hosts, else new ones.

    `now_s` is Unix time. The folder is for this user alone (0700), the key too (0600).

    Raises:
        ConfigError: the files cannot be written.
    """
    now = datetime.fromtimestamp(now_s, UTC)
    names = sorted(set(hosts))
    folder = cert_file.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if _still_good(cert_file, key_file, names, now):
            key_file.chmod(0o600)
            return
        key = ec.generate_private_key(ec.SECP256R1())
        _write(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        _write(cert_file, _certificate(key, names, now, years).public_bytes(Encoding.PEM))
    except OSError as error:
        raise ConfigError(f"cannot keep a certificate in {folder}: {error.strerror or error}") from error


def _certificate(key: ec.EllipticCurvePrivateKey, names: list[str], now: datetime, years: int) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "raftkv")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=DAYS_OF_A_YEAR * years))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _still_good(cert_file: Path, key_file: Path, names: list[str], now: datetime) -> bool:
    if not cert_file.exists() or not key_file.exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return certificate.not_valid_after_utc > now and {_general_name(name) for name in names} <= set(found)


def _write(file: Path, content: bytes) -> None:
    """In place of what is there, whole or not at all."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as opened:  # noqa: PTH123 (a descriptor, for its mode)
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
