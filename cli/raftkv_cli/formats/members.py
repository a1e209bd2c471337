"""How changes of the members are printed. There is no format `fields` of them, as in etcdctl."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from raftkv.pb import rpc
from raftkv_cli.formats.answers import Field, Printable, Style
from raftkv_cli.formats.json_text import message_value

Change = rpc.MemberPromoteResponse | rpc.MemberUpdateResponse | rpc.MemberRemoveResponse


@dataclass(frozen=True, slots=True)
class Added(Printable):
    """A member that was added, and how it is to be started."""

    name: str
    message: rpc.MemberAddResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        added = self.message.member
        yield b"Member %16x added to cluster %16x" % (added.ID, self.message.header.cluster_id)
        yield b""
        urls = [
            f"{self.name if member.ID == added.ID else member.name}={url}"
            for member in self.message.members
            for url in member.peerURLs
        ]
        yield f'ETCD_NAME="{self.name}"'.encode()
        yield f'ETCD_INITIAL_CLUSTER="{",".join(urls)}"'.encode()
        yield f'ETCD_INITIAL_ADVERTISE_PEER_URLS="{",".join(added.peerURLs)}"'.encode()
        yield b'ETCD_INITIAL_CLUSTER_STATE="existing"'

    def fields(self) -> Iterator[Field]:
        raise click.UsageError("fields not supported as output format")

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Changed(Printable):
    """A member that something was done to."""

    member_id: int
    what: str
    message: Change

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield f"Member {self.member_id:16x} {self.what} cluster {self.message.header.cluster_id:16x}".encode()

    def fields(self) -> Iterator[Field]:
        raise click.UsageError("fields not supported as output format")

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class DowngradeDone(Printable):
    """What became of a request about a downgrade."""

    action: str
    message: rpc.DowngradeResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield f"Downgrade {self.action} success, cluster version {self.message.version.rpartition('.')[0]}".encode()

    def fields(self) -> Iterator[Field]:
        raise click.UsageError("fields not supported as output format")

    def value(self) -> object:
        return message_value(self.message)
