"""How what is known of a snapshot's file is printed, and how the checksums of endpoints are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raftkv.pb import rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Field, Style, Tabular, header_fields
from raftkv_cli.formats.json_text import message_value


@dataclass(frozen=True, slots=True)
class SnapshotStatus(Tabular):
    """A snapshot's file."""

    checksum: int
    revision: int
    keys: int
    size: int

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield ", ".join(self._row()).encode()

    def fields(self) -> Iterator[Field]:
        yield from (("Hash", self.checksum), ("Revision", self.revision), ("Keys", self.keys), ("Size", self.size))

    def value(self) -> object:
        return {"hash": self.checksum, "revision": self.revision, "totalKey": self.keys, "totalSize": self.size}

    def table(self) -> tuple[list[str], list[list[str]]]:
        return ["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE"], [self._row()]

    def _row(self) -> list[str]:
        return [f"{self.checksum:x}", str(self.revision), str(self.keys), go.size(self.size)]


@dataclass(frozen=True, slots=True)
class Hashes(Tabular):
    """The checksums of endpoints, each with the endpoint's name."""

    items: Sequence[tuple[str, rpc.HashKVResponse]]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield from (f"{endpoint}, {answer.hash}".encode() for endpoint, answer in self.items)

    def fields(self) -> Iterator[Field]:
        for endpoint, answer in self.items:
            yield from header_fields(answer.header)
            yield from (("Endpoint", go.quote(endpoint)), ("Hash", answer.hash), ("", ""))

    def value(self) -> object:
        # As etcdctl 3.5 knows it, without what later versions add.
        return [{"Endpoint": endpoint, "HashKV": _without_hash_revision(answer)} for endpoint, answer in self.items]

    def table(self) -> tuple[list[str], list[list[str]]]:
        return ["ENDPOINT", "HASH"], [[endpoint, str(answer.hash)] for endpoint, answer in self.items]


def _without_hash_revision(answer: rpc.HashKVResponse) -> dict[str, object]:
    return {name: value for name, value in message_value(answer).items() if name != "hash_revision"}
