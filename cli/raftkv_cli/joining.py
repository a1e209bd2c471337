"""`raftkv member add --wait`: from being added to having all that the others have.

added -> started (it has a name) -> receives a snapshot -> catches up with the log -> joined
"""

import asyncio
from typing import NamedTuple

import click

from raftkv.clock import SystemClock
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.gather import gather
from raftkv_cli.progress import ProgressBar
from raftkv_cli.session import Session

LOOK_EVERY_S = 0.3


class Standing(NamedTuple):
    """How far a new member is."""

    what: str
    done: int
    total: int
    joined: bool = False


async def wait_until_joined(session: Session, member_id: int, timeout_s: float) -> None:
    """Shows how far the member is, until it has joined.

    Raises:
        click.ClickException: it was removed, or not there in time.
    """
    clock = SystemClock()
    end, goal = clock.now() + timeout_s, 0
    with ProgressBar("waiting for the member to be started") as bar:
        while True:
            cluster = await gather(session, hashes=False)
            goal = goal or _newest(cluster, member_id)
            found = standing(cluster, member_id, goal)
            if found.joined:
                break
            bar.show(*found[:3])
            if clock.now() >= end:
                raise click.ClickException(f"the member has not joined within {timeout_s:g} s: {found.what}")
            await asyncio.sleep(LOOK_EVERY_S)
    click.echo(f"Member {member_id:x} has joined: it has everything up to index {goal}", err=True)


def standing(cluster: ClusterFacts, member_id: int, goal: int) -> Standing:
    """How far a member is on its way to an index of the log.

    Raises:
        click.ClickException: it is no member any more.
    """
    member = next((member for member in cluster.members if member.id == member_id), None)
    if member is None:
        if cluster.answering:
            raise click.ClickException("the member was removed")
        return Standing("waiting for somebody to answer", 0, 1)
    status = member.status
    if status is None:
        return Standing("waiting for the member to be started", 0, 1)
    if goal and status.raftAppliedIndex >= goal:
        return Standing("joined", goal, goal, joined=True)
    about = 0 if member.metrics is None else int(member.metrics.value("raftkv_snapshot_about_bytes"))
    if about and member.metrics is not None:
        return Standing("receiving a snapshot (bytes)", int(member.metrics.value("raftkv_snapshot_received_bytes")), about)
    return Standing("catching up (entries)", status.raftAppliedIndex, goal)


def _newest(cluster: ClusterFacts, member_id: int) -> int:
    """What the others have when the member is first seen; it need not run after what is written later."""
    others: list[MemberFacts] = [member for member in cluster.members if member.id != member_id]
    return max((member.status.raftAppliedIndex for member in others if member.status is not None), default=0)
