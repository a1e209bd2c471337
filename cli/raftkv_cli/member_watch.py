"""`raftkv member watch`: the difference between two looks at the members, as lines."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.gather import gather
from raftkv_cli.session import Session


async def follow(session: Session, interval: float, changes: int | None) -> None:
    """Prints who is there, and then every change."""
    known = await gather(session, hashes=False)
    for member in known.members:
        _say(known, f"{member.name} {_state(known, member)}")
    said = 0
    while changes is None or said < changes:
        await asyncio.sleep(interval)
        seen = await gather(session, hashes=False)
        if not seen.answering:  # then nobody tells who the members are, either
            seen = ClusterFacts(members=[_away(member) for member in known.members], now_s=seen.now_s)
        for line in differences(known, seen):
            _say(seen, line)
            said += 1
        known = seen


def differences(before: ClusterFacts, after: ClusterFacts) -> Iterator[str]:
    """What changed from one look to the next."""
    earlier = {member.id: member for member in before.members}
    later = {member.id: member for member in after.members}
    for identifier in earlier.keys() - later.keys():
        yield f"{earlier[identifier].name} removed"
    for identifier, member in later.items():
        if identifier not in earlier:
            yield f"{member.name} added, {_state(after, member)}"
        elif (state := _state(after, member)) != _state(before, earlier[identifier]):
            yield f"{member.name} {state}"


def _state(cluster: ClusterFacts, member: MemberFacts) -> str:
    if member.status is None:
        return "does not answer" if member.endpoint else "has not started"
    if member is cluster.leader:
        return f"leads in term {member.status.raftTerm}"
    return "learns" if member.is_learner else "follows"


def _away(member: MemberFacts) -> MemberFacts:
    return MemberFacts(name=member.name, endpoint=member.endpoint, member=member.member)


def _say(cluster: ClusterFacts, line: str) -> None:
    time = datetime.fromtimestamp(cluster.now_s, UTC).strftime("%H:%M:%S")
    click.echo(f"{time} {line}")
