"""What was learnt about a cluster in one look: plain values, from which everything else follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from raftkv.pb import rpc
from raftkv_cli.inspection.scrape import Scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """One member, or an endpoint behind which none was found."""

    name: str
    """As the cluster calls it; the endpoint, where it has no name."""
    endpoint: str = ""
    """Where it was asked; nothing: it has not said where it serves."""
    member: rpc.Member | None = None
    """As the cluster lists it; None where no list could be had."""
    status: rpc.StatusResponse | None = None
    error: str = ""
    """Why there is no status."""
    metrics: Scrape | None = None
    clock_ahead_s: float | None = None
    """Its clock against ours, within a second: HTTP says no more."""
    certificate_ends: float | None = None
    """When the certificate ends that it shows to clients, in seconds since 1970."""
    hashed: rpc.HashKVResponse | None = None
    """Up to a revision that all have."""

    @property
    def id(self) -> int:
        """The member's id, or 0."""
        if self.member is not None:
            return self.member.ID
        return self.status.header.member_id if self.status is not None else 0

    @property
    def is_learner(self) -> bool:
        """Whether it has no vote."""
        return self.member.isLearner if self.member is not None else self.status is not None and self.status.isLearner

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader."""
        return self.status is not None and self.status.leader == self.status.header.member_id != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """All members, at about one moment."""

    members: Sequence[MemberFacts]
    alarms: Sequence[rpc.AlarmMember] = ()
    now_s: float = 0.0
    """Of this machine, in seconds since 1970."""

    @property
    def answering(self) -> list[MemberFacts]:
        """Those that said how they are."""
        return [member for member in self.members if member.status is not None]

    @property
    def leader(self) -> MemberFacts | None:
        """Who leads in the latest term."""
        leaders = [member for member in self.answering if member.leads]
        return max(leaders, key=lambda member: member.status.raftTerm if member.status else 0, default=None)

    def name_of(self, member_id: int) -> str:
        """A member's name, or its id."""
        return next((member.name for member in self.members if member.id == member_id), f"{member_id:x}")
