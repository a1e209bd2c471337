"""The commands about single nodes at work: room on the disk, who leads, which version."""

import asyncio
from typing import TYPE_CHECKING

import click

from raftkv.errors import NotLeaderError, RaftKVError
from raftkv.pb import rpc
from raftkv_cli.command import Command, Group
from raftkv_cli.endpoint import CLUSTER, ask_each
from raftkv_cli.formats.members import DowngradeDone
from raftkv_cli.member import MemberId
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client


@click.command("defrag", cls=Command, examples="raftkv defrag --cluster")
@CLUSTER
@with_session
def defrag(session: Session, /, *, cluster: bool) -> None:
    """Give the space of deleted data back to the disk.

    A raftkv node serves meanwhile; an etcd node does not.
    """
    failures = [failure for failure in asyncio.run(ask_each(session, _defragment, cluster=cluster)) if failure]
    if failures:
        raise click.ClickException("failed to defragment " + "; ".join(failures))


async def _defragment(session: Session, name: str) -> str:
    try:
        async with session.client(name) as client:
            await client.defragment(name)
    except RaftKVError as error:
        return f"etcd member[{name}]: {error}"
    click.echo(f"Finished defragmenting etcd member[{name}]")
    return ""


@click.command("move-leader", cls=Command, examples="raftkv move-leader 8e9e05c52164694d")
@click.argument("target", metavar="ID", type=MemberId())
@with_session
def move_leader(session: Session, /, *, target: int) -> None:
    """Hand leadership to another member.

    One of the endpoints must be the leader's.
    """
    leader = session.call(lambda client: _move(session, client, target))
    click.echo(f"Leadership transferred from {leader:x} to {target:x}")


async def _move(session: Session, client: "Client", target: int) -> int:
    for name in session.settings.endpoint_list():
        status = await client.status(name)
        if status.leader == status.header.member_id:
            await client.move_leader(target, endpoint=name)
            return status.leader
    raise NotLeaderError(f"no leader endpoint given at {','.join(session.settings.endpoint_list())}")


@click.group("downgrade", cls=Group)
def downgrade() -> None:
    """Bring the cluster down to an earlier version."""


@downgrade.command("validate", examples="raftkv downgrade validate 3.4.0")
@click.argument("version")
@with_session
def validate(session: Session, /, *, version: str) -> None:
    """Ask whether the cluster may go down to a version."""
    _downgrade(session, "validate", rpc.DowngradeRequest.VALIDATE, version)


@downgrade.command("enable", examples="raftkv downgrade enable 3.4.0")
@click.argument("version")
@with_session
def enable(session: Session, /, *, version: str) -> None:
    """Say that the cluster goes down to a version."""
    _downgrade(session, "enable", rpc.DowngradeRequest.ENABLE, version)


@downgrade.command("cancel", examples="raftkv downgrade cancel")
@with_session
def cancel(session: Session, /) -> None:
    """Say that the cluster stays at its version."""
    _downgrade(session, "cancel", rpc.DowngradeRequest.CANCEL, "")


def _downgrade(session: Session, name: str, action: "rpc.DowngradeRequest.DowngradeAction", version: str) -> None:
    session.show(DowngradeDone(name, session.call(lambda client: client.downgrade(action, version))))
