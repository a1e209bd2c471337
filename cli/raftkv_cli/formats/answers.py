"""What can be printed: the cluster's answers as they came, and what the command line adds about endpoints."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from raftkv.pb import rpc


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What one endpoint says of itself."""

    endpoint: str
    status: rpc.StatusResponse


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """Whether an endpoint answered a linearizable read, and after how long; healthy where `error` is empty."""

    endpoint: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Statuses:
    """The states of the endpoints that answered."""

    items: list[EndpointStatus]


@dataclass(frozen=True, slots=True)
class Healths:
    """The health of every endpoint asked."""

    items: list[EndpointHealth]


@dataclass(frozen=True, slots=True)
class Style:
    """What an output format needs to know beside the answer."""

    hex: bool = False
    """Keys and values as \\x escapes (simple), member ids in hexadecimal (json)."""
    values_only: bool = False
    """simple: no keys."""
    count_only: bool = False
    """simple: nothing but how many keys there are."""


class Printable(ABC):
    """An answer that knows how it is printed, for what is asked by one command only."""

    message: Message
    """protobuf: the answer as it came."""

    @abstractmethod
    def lines(self, style: Style) -> Iterator[bytes]:
        """simple: the lines."""

    @abstractmethod
    def fields(self) -> "Iterator[Field]":
        """fields: names and values."""

    @abstractmethod
    def value(self) -> object:
        """json: what is written as JSON."""


class Tabular(Printable):
    """One that can be printed as a table, too."""

    @abstractmethod
    def table(self) -> tuple[list[str], list[list[str]]]:
        """table: the names of the columns, and the rows."""


Field = tuple[str, int | str]
"""A line of the format fields; two empty texts are an empty line."""

Answer = (
    rpc.PutResponse
    | rpc.RangeResponse
    | rpc.DeleteRangeResponse
    | rpc.TxnResponse
    | rpc.MemberListResponse
    | rpc.AlarmResponse
    | Statuses
    | Healths
    | Printable
)


def member_row(member: rpc.Member) -> list[str]:
    """A member as simple and table show it; one that has not started yet has no name."""
    state = "started" if member.name else "unstarted"
    learner = _truth(member.isLearner)
    return [f"{member.ID:x}", state, member.name, ",".join(member.peerURLs), ",".join(member.clientURLs), learner]


def status_row(item: EndpointStatus, size: str) -> list[str]:
    """An endpoint's state as simple and table show it; `size` is its database in words."""
    status = item.status
    leads = _truth(status.leader == status.header.member_id)
    progress = [str(status.raftTerm), str(status.raftIndex), str(status.raftAppliedIndex)]
    identity = [item.endpoint, f"{status.header.member_id:x}", status.version]
    return [*identity, size, leads, _truth(status.isLearner), *progress, ", ".join(status.errors)]


def _truth(value: bool) -> str:  # noqa: FBT001 - it is the thing to be written
    return "true" if value else "false"


def header_fields(header: rpc.ResponseHeader) -> Iterator[Field]:
    """The header of an answer as fields."""
    yield "ClusterID", header.cluster_id
    yield "MemberID", header.member_id
    yield "Revision", header.revision
    yield "RaftTerm", header.raft_term


def header_value(header: rpc.ResponseHeader) -> dict[str, int]:
    """The header of an answer as JSON has it: what is zero is left out."""
    names = ("cluster_id", "member_id", "revision", "raft_term")
    return {name: value for name in names if (value := getattr(header, name))}
