"""Until when the certificates are valid that this node shows: the one failure that is known a year ahead."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric


class Certificates:
    """The certificate files of a node, by what they are for. A file is read again when it has changed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._known: dict[Path, tuple[int, float]] = {}
        """When the file was changed, and when its first certificate ends."""

    def samples(self) -> Iterator[Metric]:
        """A file that cannot be read has no sample."""
        family = GaugeMetricFamily("raftkv_certificate_expiry_timestamp_seconds", "When a certificate ends.", labels=["use"])
        for use, file in self._files.items():
            try:
                family.add_metric([use], self._expiry(file))
            except (OSError, ValueError):
                continue
        yield family

    def _expiry(self, file: Path) -> float:
        changed = file.stat().st_mtime_ns
        known = self._known.get(file)
        if known is None or known[0] != changed:
            known = self._known[file] = (changed, _expiry_of(file.read_bytes()))
        return known[1]


def _expiry_of(pem: bytes) -> float:
    from cryptography import x509  # noqa: PLC0415 (few have certificates, and it takes a while to load)

    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
