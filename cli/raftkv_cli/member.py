"""The commands about the members of the cluster."""

import click

from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session


@click.group("member", cls=Group)
def member() -> None:
    """Look at the members of the cluster."""


@member.command(
    "list",
    tabular=True,
    examples="""
    raftkv member list
    raftkv member list -w table
    """,
)
@with_session
def member_list(session: Session, /) -> None:
    """List the members of the cluster.

    The simple format lists: id, has it started, name, peer URLs, client URLs, is it a learner.
    """
    session.show(session.call(lambda client: client.members()))
