"""Certificate authorities for tests, made when they are needed: nothing secret lies in the repository, and nothing expires."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LOCAL = ("127.0.0.1", "localhost")
HOUR = timedelta(hours=1)


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    cert: Path
    key: Path

    def replace_by(self, other: "Pair") -> None:
        """As an operator renews a certificate: first one file, then the other."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """A CA with files in `folder`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued: dict[Path, x509.Certificate] = {}
        builder = _builder(_named(name), self._key, timedelta(days=1)).issuer_name(_named(name))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = {"key_cert_sign": True, "crl_sign": True, "digital_signature": True}
        builder = builder.add_extension(x509.KeyUsage(**{**_NO_USAGE, **usage}), critical=True)
        self.cert = folder / f"{name}.pem"
        self.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self, name: str, *, hosts: Sequence[str] = LOCAL, common_name: str | None = None, valid: timedelta = HOUR
    ) -> Pair:
        """A certificate in `<name>.pem`; one that is valid for less than nothing has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(common_name or name), key, valid).issuer_name(_named(self._name))
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key.pem")
        pair.cert.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pair.key.chmod(0o600)
        self._issued[pair.cert] = certificate
        return pair

    def revoke(self, *pairs: Pair) -> Path:
        """The list of exactly these certificates."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(_named(self._name))
        builder = builder.last_update(now - HOUR).next_update(now + HOUR)
        for pair in pairs:
            revoked = x509.RevokedCertificateBuilder().serial_number(self._issued[pair.cert].serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(now - HOUR).build())
        file = self._folder / f"{self._name}.crl.pem"
        file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return file


_NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now - 24 * HOUR).not_valid_after(now + valid)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
