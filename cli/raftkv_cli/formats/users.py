"""How the answers about users, roles and authentication are printed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from raftkv.pb import rpc
from raftkv.pb.auth import Permission
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Field, Printable, Style, header_fields
from raftkv_cli.formats.json_text import message_value

OPEN_END = b"\x00"


@dataclass(frozen=True, slots=True)
class Done(Printable):
    """A change that was made, and the sentence that says so."""

    sentence: bytes
    message: Any
    """An answer with nothing but a header."""

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield self.sentence

    def fields(self) -> Iterator[Field]:
        return header_fields(self.message.header)

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Status(Printable):
    """Whether authentication is on."""

    message: rpc.AuthStatusResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield b"Authentication Status: " + _truth(self.message).encode()
        yield b"AuthRevision: %d" % self.message.authRevision

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        yield from (("Enabled", _truth(self.message)), ("AuthRevision", self.message.authRevision))

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Names(Printable):
    """The names of all users, or of all roles."""

    message: rpc.AuthUserListResponse | rpc.AuthRoleListResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        return (name.encode() for name in self._names())

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        title = "Users" if isinstance(self.message, rpc.AuthUserListResponse) else "Roles"
        yield title, " ".join(go.quote(name) for name in self._names())

    def value(self) -> object:
        return message_value(self.message)

    def _names(self) -> Iterable[str]:
        return self.message.users if isinstance(self.message, rpc.AuthUserListResponse) else self.message.roles


@dataclass(frozen=True, slots=True)
class User(Printable):
    """The roles of a user."""

    name: str
    message: rpc.AuthUserGetResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield f"User: {self.name}".encode()
        yield "".join(["Roles:", *(f" {role}" for role in self.message.roles)]).encode()

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        yield "Roles", " ".join(map(go.quote, self.message.roles))

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Role(Printable):
    """The permissions of a role."""

    name: str
    message: rpc.AuthRoleGetResponse

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield f"Role {self.name}".encode()
        for title, kind in ((b"KV Read:", Permission.READ), (b"KV Write:", Permission.WRITE)):
            yield title
            yield from (b"\t" + _keys(grant) for grant in self.message.perm if grant.permType in {kind, Permission.READWRITE})

    def fields(self) -> Iterator[Field]:
        yield from header_fields(self.message.header)
        for grant in self.message.perm:
            yield "PermType", " " + Permission.Type.Name(grant.permType)
            yield from (("Key", go.quote(grant.key)), ("RangeEnd", go.quote(grant.range_end)))

    def value(self) -> object:
        return message_value(self.message)


def span(key: bytes, range_end: bytes) -> bytes:
    """A range as people read it."""
    return b"[%s, <open ended>" % key if range_end == OPEN_END else b"[%s, %s)" % (key, range_end)


def _keys(grant: Permission) -> bytes:
    from raftkv.client.request import prefix_end  # noqa: PLC0415 - the client loads slowly; where there is an answer, it is loaded

    key, end = grant.key, grant.range_end
    if not end:
        return key
    return span(key, end) + (b" (prefix %s)" % key if end != OPEN_END and end == prefix_end(key) else b"")


def _truth(status: rpc.AuthStatusResponse) -> str:
    return "true" if status.enabled else "false"
