"""How the answers about leases are printed. Ids are sixteen hexadecimal digits to people, and numbers to programs."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from raftkv.pb import rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Field, Printable, Style, header_fields, header_value


@dataclass(frozen=True, slots=True)
class Granted(Printable):
    """A lease that was granted."""

    message: rpc.LeaseGrantResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield b"lease %016x granted with TTL(%ds)" % (self.message.ID, self.message.TTL)

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        yield from (("ID", self.message.ID), ("TTL", self.message.TTL))

    def value(self) -> object:
        return header_value(self.message.header) | {"ID": self.message.ID, "TTL": self.message.TTL, "Error": ""}


@dataclass(frozen=True, slots=True)
class Revoked(Printable):
    """A lease that was revoked."""

    lease_id: int
    message: rpc.LeaseRevokeResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield b"lease %016x revoked" % self.lease_id

    def fields(self) -> Iterator[Field]:
        return header_fields(self.message.header)

    def value(self) -> object:
        return {"header": header_value(self.message.header)}


@dataclass(frozen=True, slots=True)
class KeptAlive(Printable):
    """A lease that was renewed."""

    message: rpc.LeaseKeepAliveResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield b"lease %016x keepalived with TTL(%d)" % (self.message.ID, self.message.TTL)

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        yield from (("ID", self.message.ID), ("TTL", self.message.TTL))

    def value(self) -> object:
        return header_value(self.message.header) | {"ID": self.message.ID, "TTL": self.message.TTL}


@dataclass(frozen=True, slots=True)
class TimeToLive(Printable):
    """What is left of a lease. `keys`: whether its keys were asked for."""

    message: rpc.LeaseTimeToLiveResponse
    keys: bool

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        found = self.message
        if found.grantedTTL == 0 and found.TTL == -1:
            yield b"lease %016x already expired" % found.ID
            return
        line = b"lease %016x granted with TTL(%ds), remaining(%ds)" % (found.ID, found.grantedTTL, found.TTL)
        yield line + b", attached keys([%s])" % b" ".join(found.keys) if self.keys else line

    def fields(self) -> Iterator[Field]:
        found = self.message
        yield from header_fields(found.header)
        yield from (("ID", found.ID), ("TTL", found.TTL), ("GrantedTTL", found.grantedTTL))
        yield from (("Key", go.quote(key)) for key in found.keys)

    def value(self) -> object:
        found = self.message
        keys = [b64encode(key).decode() for key in found.keys] or None
        return header_value(found.header) | {"id": found.ID, "ttl": found.TTL, "granted-ttl": found.grantedTTL, "keys": keys}


@dataclass(frozen=True, slots=True)
class Leases(Printable):
    """The ids of all leases."""

    message: rpc.LeaseLeasesResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield b"found %d leases" % len(self.message.leases)
        yield from (b"%016x" % status.ID for status in self.message.leases)

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        yield from (("ID", status.ID) for status in self.message.leases)

    def value(self) -> object:
        return header_value(self.message.header) | {"leases": [{"id": status.ID} for status in self.message.leases]}
