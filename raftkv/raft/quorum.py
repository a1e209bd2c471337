"""What a majority of voters agrees on. Pure questions, asked for commits, votes, reads and the leader's own standing."""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum


class Outcome(Enum):
    """Where an election stands."""

    PENDING = "pending"
    WON = "won"
    LOST = "lost"


def majority(count: int) -> int:
    """How many of `count` voters make a quorum."""
    return count // 2 + 1


def agreed(values: Iterable[int]) -> int:
    """The largest value that a majority has reached: one value per voter, at least one."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def has_majority(count: int, voters: Collection[int]) -> bool:
    """Whether `count` of the voters are a quorum; nobody is a quorum of nobody."""
    return bool(voters) and count >= majority(len(voters))


def outcome(votes: Mapping[int, bool], voters: Collection[int]) -> Outcome:
    """How an election stands, given each node's answer; those who are no voters do not count (one vote per node, R6)."""
    granted = sum(votes.get(voter, False) for voter in voters)
    refused = sum(not votes.get(voter, True) for voter in voters)
    if has_majority(granted, voters):
        return Outcome.WON
    return Outcome.PENDING if has_majority(len(voters) - refused, voters) else Outcome.LOST
